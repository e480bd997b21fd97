"""Small parts of the set-up that need no machine: lock files, copies of the code, processes, configuration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panel.setup import code_copy
from panel.setup.errors import SetupError
from panel.setup.kvm_probe import has_extension, kvm_usable
from panel.setup.layout import Layout
from panel.setup.libvirtd_files import libvirtd_conf, qemu_conf
from panel.setup.private_libvirtd import PrivateLibvirtd
from panel.setup.processes import ProcessRef, run
from panel.setup.python_env import installed, pins

UUID = "0b7c1a6e-6d1f-4c0e-9a59-1f0c7a3f2b11"


def _layout(tmp_path: Path, identity: str = "abcd") -> Layout:
    return Layout(
        checkout=tmp_path / "clone",
        id=identity,
        state=tmp_path / "state",
        cache=tmp_path / "cache",
        run_dir=tmp_path / "run",
        code=tmp_path / "state" / "code",
    )


def test_pins_are_read_from_a_lock_with_hashes():
    lock = "Django==5.2.19 \\\n    --hash=sha256:00\n    # via x==1\ntyping_extensions==4.0\n"
    assert pins(lock) == {"django": "5.2.19", "typing-extensions": "4.0"}


def test_a_package_whose_install_was_cut_does_not_count(tmp_path: Path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("whole-1.0", "cut-1.0"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    (packages / "whole-1.0.dist-info" / "RECORD").touch()
    assert installed(tmp_path) == {"whole": "1.0"}


def test_the_copy_follows_the_clone_and_keeps_node_modules(tmp_path: Path):
    layout = _layout(tmp_path)
    layout.checkout.mkdir()
    layout.state.mkdir()
    (layout.checkout / "a.py").write_text("1")
    (layout.checkout / "b.py").write_text("1")
    code_copy.sync_code(layout)
    kept = layout.code / "node_modules" / "x.js"
    kept.parent.mkdir()
    kept.touch()
    (layout.checkout / "a.py").write_text("2")
    (layout.checkout / "b.py").unlink()
    code_copy.sync_code(layout)
    assert (layout.code / "a.py").read_text() == "2"
    assert not (layout.code / "b.py").exists()
    assert kept.exists()
    assert (layout.code / "a.py").stat().st_mode & 0o777 == 0o644


def test_a_digest_is_of_what_runs(tmp_path: Path):
    (tmp_path / "panel").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "panel" / "a.py").write_text("1")
    first = code_copy.code_digest(tmp_path)
    (tmp_path / "docs" / "guide.md").write_text("new")
    (tmp_path / "CHANGELOG.md").write_text("new")
    assert code_copy.code_digest(tmp_path) == first
    (tmp_path / "panel" / "a.py").write_text("2")
    second = code_copy.code_digest(tmp_path)
    (tmp_path / "panel" / "a.py").rename(tmp_path / "panel" / "b.py")
    assert len({first, second, code_copy.code_digest(tmp_path)}) == 3


def test_a_process_is_known_by_its_start_too(tmp_path: Path):
    own = ProcessRef.of(os.getpid())
    assert own is not None
    own.save(tmp_path / "ref.json")
    assert ProcessRef.load(tmp_path / "ref.json") == own
    ProcessRef(own.pid, own.start_ticks - 1).save(tmp_path / "ref.json")
    assert ProcessRef.load(tmp_path / "ref.json") is None


def test_a_process_that_ends_when_asked_is_not_killed():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ref = ProcessRef.of(child.pid)
    assert ref is not None
    assert ref.end(timeout_s=5) is True
    assert child.wait() == -15
    assert ref.is_alive() is False


def test_a_failed_command_is_one_sentence():
    with pytest.raises(SetupError, match=r"^The thing cannot be done: second line$"):
        run(["sh", "-c", "echo first line >&2; echo second line >&2; exit 3"], failure="The thing cannot be done")


def test_what_a_program_says_is_not_translated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run(["sh", "-c", "echo $LC_ALL"], failure="x") == "C.UTF-8\n"


@pytest.mark.parametrize(("flags", "expected"), [("fpu vmx", True), ("fpu svm x", True), ("fpu vmx_x", False)])
def test_the_extension_is_a_whole_word_of_the_flags(flags: str, expected: bool):
    assert has_extension(f"processor\t: 0\nflags\t\t: {flags}\n") is expected


def test_no_device_is_no_acceleration(tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : vmx\n")
    assert kvm_usable(tmp_path / "kvm", cpuinfo) is False


def test_the_socket_is_roots_unless_a_group_is_named():
    alone = libvirtd_conf(host_uuid=UUID, socket_group=None, listen_tcp=None)
    shared = libvirtd_conf(host_uuid=UUID, socket_group="innkeeper", listen_tcp=None)
    assert 'unix_sock_rw_perms = "0700"\n' in alone
    assert "unix_sock_group" not in alone
    assert 'unix_sock_rw_perms = "0770"\n' in shared
    assert 'unix_sock_group = "innkeeper"\n' in shared
    assert "listen_tcp" not in alone + shared


def test_tcp_is_for_one_address():
    text = libvirtd_conf(host_uuid=UUID, socket_group=None, listen_tcp="10.77.0.1")
    assert 'listen_addr = "10.77.0.1"\n' in text
    assert qemu_conf(migration_host="10.77.0.1") == 'remember_owner = 0\nmigration_host = "10.77.0.1"\n'


def test_nothing_but_an_address_gets_into_the_configuration():
    with pytest.raises(ValueError, match="not an address"):
        qemu_conf(migration_host='1"\nsecurity_driver = "none')


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(tmp_path: Path):
    run_dir = tmp_path / ("x" * 100)
    with pytest.raises(SetupError, match="too long for unix sockets"):
        PrivateLibvirtd("n", tmp_path / "d", run_dir, tmp_path / "hooks").start()
    assert not run_dir.exists()


def test_a_libvirtd_of_older_hooks_is_replaced_and_one_of_these_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "lxc").write_text("1")
    private = PrivateLibvirtd("n", tmp_path / "d", tmp_path / "r", hooks)
    ran: list[str] = []
    daemons = dict.fromkeys(("virtlogd", "libvirtd"), False)

    class Daemon:
        def __init__(self, name: str) -> None:
            self.name = name

        def end(self, *, timeout_s: float) -> None:
            ran.append(f"end {self.name}")
            daemons[self.name] = False

    def enter(self: object, anchor: object, command: list[str], *, failure: str) -> None:
        (name,) = daemons.keys() & set(command)
        ran.append(f"start {name}")
        daemons[name] = True

    monkeypatch.setattr(PrivateLibvirtd, "_hold", lambda self: None)
    monkeypatch.setattr(PrivateLibvirtd, "_daemon", lambda self, name: Daemon(name) if daemons[name] else None)
    monkeypatch.setattr(PrivateLibvirtd, "_enter", enter)
    monkeypatch.setattr(PrivateLibvirtd, "is_alive", lambda self: True)

    private.start()
    assert ran == ["start virtlogd", "start libvirtd"]
    installed_hooks = tmp_path / "d" / "etc" / "hooks"
    (installed_hooks / "__pycache__").mkdir()  # as Python makes it
    ran.clear()
    private.start()
    assert ran == []
    (hooks / "lxc").write_text("2")
    (installed_hooks / "gone").touch()
    private.start()
    assert ran == ["end libvirtd", "start libvirtd"]
    assert sorted(path.name for path in installed_hooks.iterdir()) == ["__pycache__", "lxc"]
    assert (installed_hooks / "lxc").read_text() == "2"
    ran.clear()
    (tmp_path / "r" / "configuration").unlink()  # of a version that noted nothing
    private.start()
    assert ran == ["end libvirtd", "start libvirtd"]
