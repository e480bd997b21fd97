"""What a daemon leaves behind is gone as soon as it has ended, whatever the machine's first process does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from panel.setup import reaper

_DAEMON = 'sleep 60 </dev/null >/dev/null 2>&1 & echo $! >"$0"; exit 3'


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", reaper.__file__, *command], capture_output=True, text=True, check=False, timeout=20
    )


def gone_after_s(pid: int) -> float:
    began = time.monotonic()
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() - began < 5
        time.sleep(0.005)
    return time.monotonic() - began


def test_an_orphan_that_is_killed_is_gone_at_once(tmp_path):
    done = run("sh", "-c", _DAEMON, str(tmp_path / "pid"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    daemon = int((tmp_path / "pid").read_text())
    parent = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    assert reaper.__file__ in Path(f"/proc/{parent}/cmdline").read_text()
    os.kill(daemon, signal.SIGKILL)
    assert gone_after_s(daemon) < 0.5
    assert gone_after_s(parent) < 5  # nothing of it is left either


def test_a_program_that_is_not_there_is_said():
    done = run("/no/such/program")
    assert done.returncode == 1
    assert "/no/such/program" in done.stderr
