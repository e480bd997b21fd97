"""The locks of what all checkouts share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from panel.setup import machine_lock as module
from panel.setup.machine_lock import machine_lock


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_FOLDER", tmp_path / "lock")
    return tmp_path / "lock"


def test_one_at_a_time_and_nothing_stays(folder: Path):
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with machine_lock("network"):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(work, range(200)):
            pass
    assert set(most) == {1}
    assert [*folder.iterdir()] == []


def test_who_does_not_wait_is_told(folder: Path):
    with machine_lock("packages") as first:
        with machine_lock("packages", wait=False) as second, machine_lock("network", wait=False) as other:
            assert (first, second, other) == (True, False, True)
        with machine_lock("packages", wait=False) as third:
            assert third is False, "the first one holds it yet"
    with machine_lock("packages", wait=False) as fourth:
        assert fourth is True


def test_an_exception_lets_go():
    with pytest.raises(KeyError), machine_lock("network"):
        raise KeyError
    with machine_lock("network", wait=False) as free:
        assert free is True
