"""Programs that the set-up runs end with it, and with all that they started."""

import subprocess
from pathlib import Path

import pytest

from panel.setup import processes
from panel.setup.errors import SetupError
from panel.setup.processes import ProcessRef, run, running, wait_for


def cut(script: str, cwd: Path) -> int:
    """Run a script until it has written ``child`` and press Ctrl-C. Returns the process id in ``child``."""
    child = cwd / "child"

    def interrupted() -> None:
        with running(["sh", "-c", script], cwd=cwd):
            assert wait_for(lambda: child.exists() and child.read_text() != "", timeout_s=20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    return int(child.read_text())


def test_a_program_that_is_cut_may_clean_up(tmp_path: Path):
    child = cut("trap 'rm half; exit 1' INT; touch half; sleep 60 & echo $! >child; wait", tmp_path)
    assert not (tmp_path / "half").exists()
    assert wait_for(lambda: ProcessRef.of(child) is None, timeout_s=10)


def test_what_does_not_heed_it_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "_INTERRUPTED_S", 0.2)
    child = cut("trap '' INT; sleep 60 & echo $! >child; wait", tmp_path)
    assert wait_for(lambda: ProcessRef.of(child) is None, timeout_s=10)


def test_a_program_that_takes_too_long_leaves_nothing_at_work(tmp_path: Path):
    script = f"sleep 60 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(SetupError, match="timed out"):
        run(["sh", "-c", script], failure="It does not end", timeout_s=1)
    child = int((tmp_path / "child").read_text())
    assert wait_for(lambda: ProcessRef.of(child) is None, timeout_s=10)


def test_what_a_program_prints_and_how_it_fails():
    assert run(["cat"], failure="No cat", input="both\nlines\n") == "both\nlines\n"
    with pytest.raises(SetupError, match=r"^It fails: the reason$"):
        run(["sh", "-c", "echo first >&2; echo the reason >&2; exit 3"], failure="It fails")
    with pytest.raises(SetupError, match=r"^It fails: sh returned 3$"):
        run(["sh", "-c", "exit 3"], failure="It fails")
    with running(["true"], stdin=subprocess.DEVNULL) as process:
        pass
    assert process.returncode == 0
