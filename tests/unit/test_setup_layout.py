"""Where a checkout's things lie, and what it is called on the machine."""

from pathlib import Path

import pytest

from panel.setup import installations
from panel.setup.errors import SetupError
from panel.setup.installations import Installation, installation_save
from panel.setup.layout import checkout_id, find_layout, world_traversable


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(installations, "_FOLDER", tmp_path / "known")
    place = tmp_path / "clone"
    place.mkdir(mode=0o755)
    return place


def test_the_id_is_four_hex_digits_of_the_path():
    assert checkout_id(Path("/srv/innkeeper")) == "3d99"
    assert checkout_id(Path("/srv/innkeeper2")) != checkout_id(Path("/srv/innkeeper"))


def test_a_closed_parent_moves_state_and_code_out_of_the_clone(checkout: Path):
    checkout.parent.chmod(0o700)
    assert not world_traversable(checkout)
    layout = find_layout(checkout, {})
    assert layout.state == Path("/var/lib/innkeeper") / layout.id
    assert layout.code == layout.state / "code"


def test_the_variables_override_both_folders(checkout: Path):
    layout = find_layout(checkout, {"INNKEEPER_STATE": "/srv/state", "INNKEEPER_CACHE": "/srv/cache"})
    assert (layout.state, layout.cache) == (Path("/srv/state"), Path("/srv/cache"))


def test_an_open_clone_keeps_its_state_and_runs_in_place(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("panel.setup.layout.world_traversable", lambda path: True)
    layout = find_layout(checkout, {})
    assert (layout.state, layout.code) == (checkout / "var", checkout)


def test_everything_the_machine_knows_by_name_carries_the_id(checkout: Path):
    layout = find_layout(checkout, {})
    assert layout.bridge == f"ink{layout.id}"
    assert layout.table == f"innkeeper_{layout.id}"
    assert layout.run_dir == Path(f"/run/innkeeper-{layout.id}")
    assert len(layout.bridge) <= 15  # IFNAMSIZ without its final zero


def test_a_relative_path_and_its_resolved_form_are_one_checkout(checkout: Path):
    assert find_layout(checkout / ".." / "clone", {}) == find_layout(checkout, {})


def test_once_set_up_a_checkout_stays_where_it_was_put(checkout: Path, tmp_path: Path):
    state, cache = tmp_path / "elsewhere", tmp_path / "cache"
    state.mkdir()
    given = find_layout(checkout, {"INNKEEPER_STATE": str(state), "INNKEEPER_CACHE": str(cache)})
    installation_save(given.installation)
    found = find_layout(checkout, {})
    assert (found.state, found.cache) == (state, cache)
    assert find_layout(checkout, {"INNKEEPER_STATE": "/srv/other"}).state == Path("/srv/other")
    state.rmdir()
    assert find_layout(checkout, {}).state != state, "data that was deleted is forgotten"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": "abcd"}'])
def test_a_damaged_note_counts_as_none(checkout: Path, tmp_path: Path, text: str):
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / f"{checkout_id(checkout)}.json").write_text(text)
    assert find_layout(checkout, {}).cache == Path("/var/cache/innkeeper")
    assert [*installations.installations()] == []


def test_two_clones_with_the_same_digits_do_not_share_the_machine(checkout: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    installation_save(Installation("abcd", str(other), str(other), "/cache"))
    with pytest.raises(SetupError, match=r"other would have the same names on this machine \(abcd\)"):
        installation_save(Installation("abcd", str(checkout), str(checkout), "/cache"))
    other.rmdir()
    installation_save(Installation("abcd", str(checkout), str(checkout), "/cache"))
    assert [found.checkout for found in installations.installations()] == [str(checkout)]
