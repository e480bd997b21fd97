"""Our hook scripts beside the distribution's: the real ones, run as libvirt runs them."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.drivers.libvirt.places import CONTAINER_EMULATOR, HOOKS_DIRECTORY
from panel.setup import machine_lock, system_hooks
from panel.setup.layout import Layout
from panel.setup.system_hooks import hooks_install, hooks_installed, hooks_remove, hooks_seen

CHECKOUT = Path(__file__).parents[2]
QUESTION = (
    "<domain type='lxc'><metadata><question xmlns='urn:innkeeper:guest:1' kind='riddle' about='innkeeper-x'/>"
    "</metadata></domain>"
)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """libvirt's folder for hooks, with an administrator's own in it."""
    folder = tmp_path / "hooks"
    (folder / "lxc.d").mkdir(parents=True)
    (folder / "lxc.d" / "theirs").touch()
    monkeypatch.setattr(system_hooks, "_HOOKS", folder)
    monkeypatch.setattr(machine_lock, "_FOLDER", tmp_path / "lock")
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An installation whose code is this checkout's."""
    state = tmp_path / "state"
    return Layout(
        checkout=CHECKOUT, id="abcd", state=state, cache=tmp_path / "cache", run_dir=tmp_path / "run", code=CHECKOUT
    )


def content(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("driver", ["lxc", "qemu"])
def test_through_libvirts_link_a_hook_finds_its_modules_and_its_drivers_name(system, layout, driver):
    hooks_install(layout)
    command = [system / f"{driver}.d" / "innkeeper", "innkeeper-question-1", "prepare", "begin", "-"]
    done = subprocess.run(command, input=QUESTION, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "innkeeper: not a question: 'riddle'\n")


@pytest.mark.parametrize("driver", ["lxc", "qemu"])
def test_a_domain_of_somebody_elses_is_let_pass(system, layout, driver):
    hooks_install(layout)
    command = [system / f"{driver}.d" / "innkeeper", "theirs", "prepare", "begin", "-"]
    done = subprocess.run(command, input="not even XML", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_driver_is_named_by_the_script_behind_the_link(system, layout, tmp_path):
    hooks_install(layout)
    (system / "innkeeper" / "innkeeper_hook.py").write_text("import sys; print(sys.argv[1:])")
    command = [system / "qemu.d" / "innkeeper", "innkeeper-x", "release", "end", "-"]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert done.stdout == "['qemu', 'innkeeper-x', 'release', 'end', '-']\n"


def test_the_controller_is_where_the_containers_xml_names_it(system, layout):
    hooks_install(layout)
    controller = system / Path(CONTAINER_EMULATOR).relative_to(HOOKS_DIRECTORY)
    assert os.access(controller, os.X_OK)
    assert sorted(path.name for path in system.iterdir()) == ["innkeeper", "innkeeper_lxc", "lxc.d", "qemu.d"]


def test_what_changed_is_replaced_and_what_did_not_needs_no_restart(system, layout):
    assert hooks_install(layout) is True
    assert hooks_install(layout) is True, "libvirtd has not been started since"
    hooks_seen()
    assert hooks_install(layout) is False, "nothing changed, so libvirtd need not start anew"
    (system / "innkeeper" / "innkeeper_rules.py").write_text("old")
    (system / "innkeeper" / "innkeeper_gone.py").write_text("of an older version")
    assert hooks_install(layout) is True
    source = CHECKOUT / system_hooks.SOURCES / "innkeeper_rules.py"
    assert (system / "innkeeper" / "innkeeper_rules.py").read_text() == source.read_text()
    assert not (system / "innkeeper" / "innkeeper_gone.py").exists()


def test_two_checkouts_share_one_set_and_the_last_one_takes_it_away(system, layout, tmp_path):
    before = content(system)
    other = tmp_path / "other"
    other.mkdir()
    second = replace(layout, id="ef01", checkout=other)
    hooks_install(layout)
    hooks_seen()
    assert hooks_install(second) is False
    assert sorted(path.name for path in (system / "lxc.d").iterdir()) == ["innkeeper", "theirs"]
    assert hooks_remove(layout) is False
    assert [hooks_installed(one) for one in (layout, second)] == [False, True]
    assert (system / "lxc.d" / "innkeeper").exists()
    assert hooks_remove(second) is True
    assert hooks_remove(second) is True, "what is gone already is success"
    assert content(system) == before
    assert [path.name for path in system.iterdir()] == ["lxc.d"], "a folder that was made for a link goes with it"


def test_a_checkout_that_was_deleted_keeps_nothing(system, layout, tmp_path):
    gone = replace(layout, id="ef01", checkout=tmp_path / "gone")
    hooks_install(gone)
    hooks_install(layout)
    assert hooks_remove(layout) is True
    assert content(system) == ["lxc.d/theirs"]
