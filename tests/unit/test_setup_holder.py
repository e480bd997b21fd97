"""The holder of libvirtd's namespace: known to the set-up, or gone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from panel.setup import namespace_holder
from panel.setup.errors import SetupError
from panel.setup.private_libvirtd import _spawn_holder
from panel.setup.processes import ProcessRef, wait_for

HOLDER = [sys.executable, "-I", namespace_holder.__file__, json.dumps({"prepared": True})]


def test_it_holds_on_once_it_has_been_written_down(tmp_path: Path):
    holder = _spawn_holder(HOLDER, note=tmp_path / "holder.json")
    try:
        assert ProcessRef.load(tmp_path / "holder.json") == holder
        command = Path(f"/proc/{holder.pid}/cmdline")
        assert wait_for(lambda: command.read_bytes() == b"sleep\0infinity\0", timeout_s=10)
    finally:
        holder.end(timeout_s=5)


def test_cut_before_it_is_written_down_it_ends(tmp_path: Path):
    command = ["sh", "-c", f'echo $$ >{tmp_path}/pid; exec "$@"', "sh", *HOLDER]
    with pytest.raises(FileNotFoundError):
        _spawn_holder(command, note=tmp_path / "absent" / "holder.json")
    pid = int((tmp_path / "pid").read_text())
    assert wait_for(lambda: ProcessRef.of(pid) is None, timeout_s=10)


def test_one_whose_set_up_was_killed_ends():
    holder = subprocess.Popen(HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
        holder.stdin.close()
        assert holder.wait(timeout=10) == 1


def test_what_it_cannot_do_is_the_message(tmp_path: Path):
    command = ["sh", "-c", "echo 'cannot make the namespace: no'; exit 1"]
    with pytest.raises(SetupError, match=r"cannot be made: cannot make the namespace: no$"):
        _spawn_holder(command, note=tmp_path / "holder.json")
    assert not (tmp_path / "holder.json").exists()
