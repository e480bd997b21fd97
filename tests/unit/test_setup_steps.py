"""Steps are shown with their time; what was done is recorded only when it was done."""

import io
from functools import partial
from pathlib import Path

import pytest

from panel.setup.errors import SetupError
from panel.setup.steps import Records, Step, run_steps


def test_each_step_gets_one_line_with_its_time():
    out = io.StringIO()
    run_steps([Step("First", lambda: "done"), Step("Second", lambda: "present")], out=out)
    first, second = out.getvalue().splitlines()
    assert first.startswith("[ 1/2] First ")
    assert first.endswith("0.0 s  done")
    assert second.startswith("[ 2/2] Second ")


def test_a_failing_step_ends_the_run_and_its_line():
    out = io.StringIO()

    def fail() -> str:
        raise SetupError("No space left.")

    with pytest.raises(SetupError, match="No space left"):
        run_steps([Step("First", fail), Step("Second", lambda: "never")], out=out)
    assert out.getvalue().endswith("✗\n")
    assert "Second" not in out.getvalue()


def test_records_survive_the_process(tmp_path: Path):
    Records.load(tmp_path / "setup.json").set("subnet_v4", "10.90.0.0/24")
    assert Records.load(tmp_path / "setup.json").get("subnet_v4") == "10.90.0.0/24"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str):
    (tmp_path / "setup.json").write_text(text)
    assert Records.load(tmp_path / "setup.json").values == {}


def test_an_action_runs_once_for_a_fingerprint(tmp_path: Path):
    done: list[str] = []
    for fingerprint in ("a", "a", "b"):
        Records.load(tmp_path / "setup.json").once("static", fingerprint, partial(done.append, fingerprint))
    assert done == ["a", "b"]


def test_a_cut_action_runs_again_even_for_the_old_fingerprint(tmp_path: Path):
    records = Records.load(tmp_path / "setup.json")
    records.once("static", "a", lambda: None)

    def cut() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.once("static", "b", cut)
    assert Records.load(tmp_path / "setup.json").once("static", "a", lambda: None) is True
