"""``make backup`` and ``make restore``: where they run, and what starts anew after a restore."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from panel.setup import installed
from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.processes import ProcessRef

_MANAGE = """
import os, pathlib, sys
pathlib.Path(os.environ["INNKEEPER_STATE"], "said").write_text(
    "\\n".join([os.getcwd(), os.environ.get("INNKEEPER_BACKUP_PASSPHRASE", ""), os.environ["DJANGO_SETTINGS_MODULE"],
               *sys.argv[1:]]))
sys.exit(1 if "bad" in sys.argv else 0)
"""


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A panel that runs: a ``manage.py`` that writes down how it was called."""
    layout = Layout(tmp_path, "abcd", tmp_path / "state", tmp_path / "cache", tmp_path / "run", tmp_path / "code")
    for folder in (layout.code, layout.run_dir, layout.venv / "bin"):
        folder.mkdir(parents=True)
    (layout.code / "manage.py").write_text(_MANAGE)
    layout.python.symlink_to(sys.executable)
    monkeypatch.setattr(installed, "running", lambda layout: object())
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("INNKEEPER_BACKUP_PASSPHRASE", "from outside")
    monkeypatch.chdir(tmp_path)
    return layout


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were ended."""
    found: list[int] = []
    monkeypatch.setattr(ProcessRef, "is_alive", lambda self: True)
    monkeypatch.setattr(ProcessRef, "end", lambda self, timeout_s: found.append(self.pid))
    names = ("postgresql", "redis", "web", "worker", "builder", "collector")
    refs = {name: ProcessRef(number, 0) for number, name in enumerate(names)}
    monkeypatch.setattr(installed, "registered", lambda register: refs)
    return found


def run(layout: Layout, *words: str) -> int:
    return installed.COMMANDS["manage"](layout, argparse.Namespace(words=list(words)))


def test_a_backup_is_written_where_the_caller_says_and_nothing_is_stopped(layout, ended):
    assert run(layout, "backup", "panel.backup") == 0
    said = (layout.state / "said").read_text().splitlines()
    assert said == [str(layout.checkout), "from outside", "panel.settings.production", "backup", "panel.backup"]
    assert ended == []


def test_after_a_restore_the_panel_s_processes_start_anew_and_its_stores_stay(layout, ended, capsys):
    assert run(layout, "restore", "panel.backup", "--replace") == 0
    assert ended == [2, 3, 4, 5]
    assert "start again by themselves" in capsys.readouterr().out


def test_after_a_restore_that_failed_everything_runs_on(layout, ended):
    assert run(layout, "restore", "bad") == 1
    assert ended == []


def test_without_a_panel_that_runs_it_says_so(layout, ended, monkeypatch):
    monkeypatch.setattr(installed, "running", lambda layout: None)
    with pytest.raises(SetupError, match="does not run here"):
        run(layout, "backup", "panel.backup")


def test_make_asks_for_the_file():
    checkout = Path(__file__).parents[2]
    for target in ("backup", "restore"):
        done = subprocess.run(["make", target], cwd=checkout, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert f"make {target} FILE=/somewhere/panel.backup" in done.stderr


def test_by_hand_it_is_done_with_the_panel_that_is_set_up(tmp_path):
    """Where none is, whoever calls ``manage.py`` on the system's Python is told so in a sentence."""
    checkout = Path(__file__).parents[2]
    environment = {"PATH": os.environ["PATH"], "INNKEEPER_STATE": str(tmp_path / "state")}
    command = ["/usr/bin/python3", "-B", str(checkout / "manage.py"), "backup", str(tmp_path / "panel.backup")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().startswith("Innkeeper does not run here: start it with make up")
