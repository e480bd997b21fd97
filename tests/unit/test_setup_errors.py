"""What keeps a set-up from going on is one sentence that says what to do, never a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from panel.setup import checks, command_line, packages, python_env
from panel.setup.checks import check_machine
from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.processes import run
from panel.setup.reasons import explain_error, explain_output

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
GIB = 1024**3


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(checks, "world_traversable", lambda path: True)
    return Layout(tmp_path, "abcd", Path("/srv/state"), Path("/srv/cache"), tmp_path / "run", tmp_path)


# ── the operating system's errors ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "No space is left for /x/y: make room, or set INNKEEPER_STATE"),
        (errno.EDQUOT, "No space is left for /x/y: make room"),
        (errno.EROFS, "The file system of /x/y is read-only: make it writable"),
        (errno.EACCES, "This user may not open or change /x/y: run it as root or with sudo."),
        (errno.EPERM, "This user may not open or change /x/y: run it as root or with sudo."),
        (errno.EIO, "The system refuses for /x/y: Input/output error."),
    ],
)
def test_an_error_of_the_system_says_what_to_do(number: int, sentence: str):
    assert explain_error(OSError(number, os.strerror(number), "/x/y")).startswith(sentence)


def test_an_error_without_a_file_is_a_sentence_too():
    assert explain_error(PermissionError(errno.EPERM, "Operation not permitted")) == (
        "This user may not open or change this: run it as root or with sudo."
    )


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device", "/x"), SetupError("No.")])
def test_a_command_ends_with_the_sentence_and_status_1(monkeypatch, capsys, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(command_line, "_run", fails)
    assert command_line.main(["status"]) == 1
    said = capsys.readouterr().err
    assert said.strip() == (str(error) if isinstance(error, SetupError) else explain_error(error))


@pytest.mark.parametrize("words", [["up"], ["up", "--detach"], ["stop"], ["down"], ["manage", "api_token"]])
def test_without_privilege_each_command_says_so_and_changes_nothing(monkeypatch, capsys, words):
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    monkeypatch.setattr(command_line, "_run", lambda *_: pytest.fail("nothing may be done"))
    assert command_line.main(words) == 1
    assert capsys.readouterr().err.strip().endswith(": run it as root or with sudo.")


def test_a_full_file_system_is_one_sentence(tmp_path: Path):
    """A real one: a tmpfs of a megabyte, written to by the program itself and by one that it runs."""
    full = tmp_path / "full"
    full.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(full)], failure="mount")
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            (full / "file").write_bytes(bytes(2 << 20))
        assert explain_error(caught.value).startswith("No space is left")
        with pytest.raises(SetupError, match=r"^The copy failed: No space is left: make room"):
            run(["cp", "/bin/bash", str(full / "bash")], failure="The copy failed")
    finally:
        run(["umount", str(full)], failure="umount")


# ── space ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("complete", "free_gib", "needed"), [(False, 5.9, "6 GiB"), (False, 6, ""), (True, 0.4, "0.5 GiB"), (True, 0.6, "")]
)
def test_the_first_set_up_needs_room_and_a_restart_a_little(layout, monkeypatch, complete, free_gib, needed):
    monkeypatch.setattr(checks, "_existing", lambda path: Path("/"))
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: _Usage(int(free_gib * GIB)))
    if not needed:
        assert check_machine(layout, complete=complete).endswith("GiB free")
        return
    with pytest.raises(SetupError, match=f"^{free_gib:.1f} GiB are free for .* but {needed} are needed: make room"):
        check_machine(layout, complete=complete)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


@pytest.mark.parametrize(("name", "variable"), [("state", "INNKEEPER_STATE"), ("cache", "INNKEEPER_CACHE")])
def test_a_folder_that_services_cannot_enter_is_named_with_its_variable(layout, monkeypatch, name, variable):
    monkeypatch.setattr(checks, "_existing", lambda path: path)
    monkeypatch.setattr(checks, "world_traversable", lambda path: path != getattr(layout, name))
    with pytest.raises(SetupError, match=f"Other users cannot enter /srv/{name}, .* set {variable}"):
        check_machine(layout, complete=True)


def test_another_architecture_is_one_sentence(layout, monkeypatch):
    monkeypatch.setattr(checks, "MACHINE", "s390x")
    with pytest.raises(SetupError, match=r"^Innkeeper runs s390x servers only so far, and this machine is "):
        check_machine(layout, complete=True)


# ── package sources that do not answer: real programs, pointed at a port where nobody listens ───────────────────────
def test_a_python_index_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lock = tmp_path / "lock"
    lock.write_text(f"nothing-of-that-name==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(python_env, "_works", lambda venv: True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    with pytest.raises(SetupError, match=r"^pip could not install the packages: The Python package index does not ans"):
        python_env.ensure_venv(tmp_path, lock, log=tmp_path / "log")


def test_an_npm_registry_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "package.json").write_text('{"name": "x", "version": "1.0.0", "dependencies": {"y": "1.0.0"}}')
    package = {"version": "1.0.0", "integrity": "sha512-AAAA"}
    root = {"name": "x", "version": "1.0.0", "dependencies": {"y": "1.0.0"}}
    (tmp_path / "package-lock.json").write_text(
        str({"name": "x", "lockfileVersion": 3, "packages": {"": root, "node_modules/y": package}}).replace("'", '"')
    )
    for name, value in {"registry": "http://127.0.0.1:9", "fetch_retries": "0", "cache": str(tmp_path / "c")}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)
    with pytest.raises(SetupError, match=r"^npm could not install the packages: The npm registry does not answer: che"):
        python_env.ensure_node_modules(tmp_path, log=tmp_path / "log")


def test_a_debian_source_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """apt itself, with lists and sources of its own."""
    (tmp_path / "sources.list").write_text("deb [trusted=yes] http://127.0.0.1:9/debian bookworm main\n")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": tmp_path / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": tmp_path / "state",
        "Dir::Cache": tmp_path / "cache",
        "Acquire::Retries": 0,
        "Acquire::http::Proxy": "DIRECT",
        "APT::Sandbox::User": "root",
    }
    (tmp_path / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    for name in ("_POLICY", "_POLICY_SAVED", "_CLUSTER", "_TO_DISABLE"):
        monkeypatch.setattr(packages, name, tmp_path / "made" / name)
    (tmp_path / "made").mkdir()
    with pytest.raises(SetupError, match=r"^Debian's package source does not answer: check /etc/apt/sources.list and "):
        packages.install(("innkeeper-no-such-package",), log=tmp_path / "log")
    assert [*(tmp_path / "made").iterdir()] == [], "the policy against starting services is gone again"


@pytest.mark.parametrize("text", ["npm ERR! code ENOSPC", "OSError: [Errno 28] No space left on device: '/x'"])
def test_no_space_is_recognised_in_what_a_program_says(text: str):
    assert explain_output(text).startswith("No space is left: make room")


def test_what_is_not_known_is_not_explained():
    assert explain_output("connection refused") == "", "nothing is fetched here"
    assert explain_output("ModuleNotFoundError: no proxy", source="The index: look") == ""


def test_an_old_python_is_told_what_to_use():
    code = "import sys, runpy; sys.version_info = (3, 9, 2); sys.argv = ['x', 'up']; runpy.run_module('panel.setup')"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Innkeeper needs Python 3.11 or later and this is 3.9: use Debian 12 or later")
