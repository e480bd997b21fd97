"""Starting beside a running panel, in the background, and what is handed over to whom."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import pytest

from panel.setup import detached, renewal, running_guests, supervisor
from panel.setup.code_copy import code_digest
from panel.setup.context import Context
from panel.setup.detached import up_detached
from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.listen import parse_listen
from panel.setup.manage_client import ManageClient
from panel.setup.processes import ProcessRef, wait_for
from panel.setup.renewal import code_note, make_way
from panel.setup.services import Service
from panel.setup.steps import Records
from panel.setup.supervisor import Supervisor, log_rotate, registered
from panel.setup.up import _Run
from panel.setup.welcome import password_show


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    checkout, run_dir = tmp_path / "clone", tmp_path / "run"
    (checkout / "panel" / "setup").mkdir(parents=True)
    run_dir.mkdir()
    return Layout(checkout, "abcd", tmp_path / "state", tmp_path / "cache", run_dir, checkout)


# ── after git pull ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def stopped(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A panel that runs, of the clone's present code; names the ids of those that were stopped."""
    ids: list[str] = []
    monkeypatch.setattr(renewal, "running", lambda _: ProcessRef(1, 1))
    monkeypatch.setattr(renewal, "stop", lambda of: ids.append(of.id))
    code_note(layout)
    (layout.run_dir / "ready").touch()
    return ids


def test_a_panel_of_the_same_code_goes_on(layout: Layout, stopped: list[str]):
    assert make_way(layout) is False
    assert stopped == []


def test_a_panel_of_older_code_makes_way(layout: Layout, stopped: list[str], capsys: pytest.CaptureFixture[str]):
    (layout.checkout / "panel" / "new.py").touch()
    assert make_way(layout) is True
    assert stopped == ["abcd"]
    assert capsys.readouterr().out.startswith("The code has changed since the panel was started: stopping the old one")


def test_a_panel_of_a_version_that_noted_nothing_makes_way(layout: Layout, stopped: list[str]):
    (layout.run_dir / "code").unlink()
    assert make_way(layout) is True
    assert stopped == ["abcd"]


def test_a_set_up_at_work_is_not_stopped(layout: Layout, stopped: list[str]):
    (layout.run_dir / "ready").unlink()
    (layout.checkout / "panel" / "new.py").touch()
    with pytest.raises(SetupError, match=r"process 1\) is still setting up; wait for it, or make stop"):
        make_way(layout)
    assert stopped == []


def test_nothing_that_runs_is_no_obstacle(layout: Layout):
    assert make_way(layout) is True
    assert not (layout.run_dir / "code").exists()
    code_note(layout)
    assert (layout.run_dir / "code").read_text() == code_digest(layout.checkout)


# ── the first password ──────────────────────────────────────────────────────────────────────────────────────────────
_UP = """
import os, sys, time
sys.path.insert(0, {real!r})
from pathlib import Path
from panel.setup.welcome import password_show
print("[18/18] Panel")
password_show("admin@localhost the-password", to=int(sys.argv[sys.argv.index("--password-to") + 1]))
print("  Stop      Ctrl-C", flush=True)
Path({ready!r}).touch()
time.sleep({seconds})
sys.exit({status})
"""


def up_stands_in(layout: Layout, *, seconds: float, status: int = 0) -> None:
    """Put a program in the place of the clone's ``panel.setup``."""
    real, ready = str(Path(__file__).parents[2]), str(layout.run_dir / "ready") if seconds else "/dev/null"
    code = _UP.format(real=real, ready=ready, seconds=seconds, status=status)
    # A folder's own module "panel" would hide the real one, so it is only a place to start from.
    (layout.checkout / "panel" / "setup" / "__init__.py").touch()
    (layout.checkout / "panel" / "setup" / "__main__.py").write_text(
        f"import subprocess, sys\nsys.exit(subprocess.run([sys.executable, '-c', {code!r}, *sys.argv[1:]], "
        "cwd='/', close_fds=False).returncode)\n"
    )


def test_the_password_is_shown_to_the_caller_and_is_in_no_log(layout: Layout, capfd: pytest.CaptureFixture[str]):
    up_stands_in(layout, seconds=5)
    assert up_detached(layout, os.environ) == 0
    shown = capfd.readouterr().out
    assert "Password  the-password   (shown only now" in shown
    assert "Stop      Ctrl-C" in shown
    log = layout.logs / "up.log"
    assert "[18/18] Panel" in log.read_text()
    assert "the-password" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_password_is_shown_also_when_a_later_step_fails(layout: Layout, capfd: pytest.CaptureFixture[str]):
    up_stands_in(layout, seconds=0, status=1)
    assert up_detached(layout, os.environ) == 1
    assert "Password  the-password" in capfd.readouterr().out


def test_a_log_that_others_could_read_is_replaced(layout: Layout):
    layout.logs.mkdir(parents=True)
    (layout.logs / "up.log").write_text("of an older version")
    (layout.logs / "up.log").chmod(0o644)
    up_stands_in(layout, seconds=0)
    assert up_detached(layout, os.environ) == 0
    assert (layout.logs / "up.log").stat().st_mode & 0o777 == 0o600


def test_when_the_caller_has_gone_the_password_is_not_printed(capsys: pytest.CaptureFixture[str]):
    reader, writer = os.pipe()
    os.close(reader)
    password_show("admin@localhost the-password", to=writer)
    os.close(writer)
    assert (
        capsys.readouterr().out
        == "  Sign in   admin@localhost\n  Password  could not be handed over: make admin-password\n"
    )


class Manage:
    """Stands in for the panel's commands: each call takes the next reply, or is cut."""

    def __init__(self, *replies: str | type[BaseException]) -> None:
        self.replies, self.called = list(replies), list[str]()

    def call(self, command: str) -> str:
        self.called.append(command)
        reply = self.replies.pop(0)
        if isinstance(reply, str):
            return reply
        raise reply


def first_admin(layout: Layout, *replies: str | type[BaseException]) -> list[str]:
    """Do a run's step "First administrator" and its end. Returns the commands it called."""
    layout.state.mkdir(exist_ok=True)
    with ExitStack() as stack:
        context = Context(layout, Records.load(layout.records), {}, parse_listen(""))
        run = _Run(context, Supervisor(register=layout.run_dir / "services.json", say=print), stack)
        manage = Manage(*replies)
        run.manage = cast(ManageClient, manage)
        stack.callback(run.show_password)
        with suppress(KeyboardInterrupt):
            run._first_admin()
    return manage.called


def test_a_password_that_a_cut_run_could_not_show_is_replaced_and_shown_once(layout: Layout, capsys):
    """The command ran on to its end, and only its answer was lost."""
    assert first_admin(layout, KeyboardInterrupt) == ["first_admin"]
    assert "Password" not in capsys.readouterr().out
    assert first_admin(layout, "", "admin@localhost another") == ["first_admin", "admin_password"]
    assert "Password  another   (shown only now" in capsys.readouterr().out
    assert first_admin(layout, "") == ["first_admin"]
    assert "Password" not in capsys.readouterr().out


def test_a_run_cut_long_after_the_first_changes_no_password(layout: Layout):
    assert first_admin(layout, "admin@localhost first") == ["first_admin"]
    assert first_admin(layout, "") == ["first_admin"]
    Records.load(layout.records).set("complete", "yes")
    assert first_admin(layout, KeyboardInterrupt) == ["first_admin"]
    assert first_admin(layout, "") == ["first_admin"]


def test_a_password_that_was_shown_stays(layout: Layout, capsys):
    assert first_admin(layout, "admin@localhost the-password") == ["first_admin"]
    assert "Password  the-password" in capsys.readouterr().out
    assert first_admin(layout, "") == ["first_admin"]


def test_beside_a_running_panel_it_says_so(layout: Layout, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(detached, "make_way", lambda _: False)
    assert up_detached(layout, os.environ) == 0
    assert capsys.readouterr().out.startswith("Innkeeper runs already, and its code is the clone's")
    assert not layout.logs.exists()


# ── services ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_log_is_emptied_under_the_process_that_writes_it(tmp_path: Path):
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert log_rotate(log, limit_bytes=1000) is False
        assert log_rotate(log, limit_bytes=100) is True
        writer.write(b"new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "web.log.1").read_text() == "old\n" * 100
    assert log_rotate(tmp_path / "absent", limit_bytes=0) is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_whose_supervisor_is_killed_ends_as_it_wants(tmp_path: Path, number: signal.Signals):
    """PostgreSQL takes SIGTERM for "when all clients have gone", so it must get its own."""
    script = (
        "trap 'echo TERM >>said; exit' TERM; trap 'echo INT >>said; exit' INT; echo ready; while :; do sleep 0.05; done"
    )
    code = (
        "import signal, time; from pathlib import Path\n"
        "from panel.setup.services import Service\nfrom panel.setup.supervisor import Supervisor\n"
        f"here = Path({str(tmp_path)!r})\n"
        f"command = ('bash', '-c', {script!r})\n"
        "service = Service('db', command, 'root', {'PATH': '/usr/bin:/bin'}, here, here / 'log',\n"
        f"    ready=lambda: (here / 'log').read_text() == 'ready\\n', stop_signal=signal.Signals({int(number)}))\n"
        "Supervisor(register=here / 'services.json', say=print).start(service)\n"
        "(here / 'up').touch(); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-B", "-c", code], cwd=Path(__file__).parents[2])
    try:
        assert wait_for((tmp_path / "up").exists, timeout_s=20)
        (ref,) = registered(tmp_path / "services.json").values()
        parent.kill()
        assert wait_for(lambda: not ref.is_alive(), timeout_s=10)
    finally:
        parent.kill()
        parent.wait()
    assert (tmp_path / "said").read_text() == f"{number.name.removeprefix('SIG')}\n"


def test_a_service_that_finds_no_space_says_so(tmp_path: Path):
    service = Service(
        "db",
        ("sh", "-c", "echo 'FATAL: could not write: No space left on device'; exit 1"),
        "root",
        {"PATH": "/usr/bin:/bin"},
        tmp_path,
        tmp_path / "log",
        ready=lambda: False,
    )
    with pytest.raises(SetupError, match=r"^db did not start: No space is left: make room.* \(its log: "):
        Supervisor(register=tmp_path / "services.json", say=print).start(service)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_register_names_nobody(tmp_path: Path, text: str):
    (tmp_path / "services.json").write_text(text)
    assert registered(tmp_path / "services.json") == {}
    assert supervisor.registered(tmp_path / "absent") == {}


# ── make down ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_set_up_that_was_cut_before_libvirt_has_no_guests(layout: Layout, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running_guests.shutil, "which", lambda program: None)
    monkeypatch.setattr(running_guests, "run", lambda *_, **__: pytest.fail("there is no virsh"))
    assert running_guests.running_guests(layout) == []
    running_guests.pools_stop(layout, shared_too=True)


def test_pools_of_this_checkout_do_not_come_back_at_a_boot(layout: Layout, monkeypatch: pytest.MonkeyPatch):
    pools = {
        "guests": f"{layout.state}/pool",
        "theirs": "/srv",
        "innkeeper-console": "/var/lib/libvirt/innkeeper/console",
    }
    ran: list[list[str]] = []

    def run(command: list[str], *, failure: str) -> str:
        words = command[4:]
        if words[0] == "pool-list":
            return "\n".join(pools)
        if words[0] == "pool-dumpxml":
            return f"<pool><target><path>{pools[words[1]]}</path></target></pool>"
        ran.append(words)
        return ""

    monkeypatch.setattr(running_guests, "run", run)
    monkeypatch.setattr(running_guests.shutil, "which", lambda program: "/usr/bin/virsh")
    running_guests.pools_stop(layout, shared_too=False)
    assert ran == [["pool-autostart", "guests", "--disable"], ["pool-destroy", "guests"]]
    ran.clear()
    running_guests.pools_stop(layout, shared_too=True)
    assert [words[1] for words in ran] == ["guests", "guests", "innkeeper-console", "innkeeper-console"]
