"""The image builder's parts that need no packages: what it writes, keeps, refuses and says."""

import fcntl
import io
import json
import os
import stat
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.imagebuild import cpio, disk, recipes, store, tree
from hosts.imagebuild import manifest as manifests
from hosts.imagebuild.apt import Source
from hosts.imagebuild.commands import BuildError, run
from hosts.imagebuild.manifest import Manifest, artefact
from hosts.imagebuild.micro import module_closure
from hosts.imagebuild.progress import Progress
from hosts.imagebuild.recipes import RECIPES, Recipe, recipe_key


@pytest.fixture
def progress() -> Progress:
    return Progress(total=2, stream=io.StringIO())


def manifest_of(directory: Path) -> Manifest:
    return Manifest(
        slug="toy",
        name="Toy",
        os="linux",
        version="1",
        boot="disk",
        cloud_init=False,
        host_types=("kvm",),
        min_disk_gib=1,
        min_memory_mib=96,
        kernel_arguments="",
        lxc_init="/sbin/init",
        files={"kvm_disk": artefact(directory / "disk", format="raw", capacity_bytes=4096)},
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recipe:
    """A recipe that writes one small file and counts its runs in ``builds``."""

    def build(*, work: Path, output: Path, progress: Progress) -> Manifest:
        builds = tmp_path / "builds"
        builds.write_text(builds.read_text() + "x" if builds.exists() else "x")
        (work / "scratch").write_text("scratch")
        progress.step("Write")
        (output / "disk").write_bytes(b"disk")
        return manifest_of(output)

    recipe = replace(RECIPES["micro"], slug="toy", build=build, needed_bytes=1)
    monkeypatch.setitem(recipes.RECIPES, "toy", recipe)
    return recipe


# ── what a program's failure becomes ────────────────────────────────────────────────────────────────────────────────
def test_a_failed_program_is_one_sentence() -> None:
    with pytest.raises(BuildError) as caught:
        run("sh", "-c", "echo reading >&2; echo 'E: no such package' >&2; echo later >&2; exit 3", purpose="fetch it")
    assert str(caught.value) == "Could not fetch it: sh said: E: no such package"


def test_a_missing_program_is_one_sentence() -> None:
    with pytest.raises(BuildError) as caught:
        run("no-such-program", purpose="fetch it")
    assert str(caught.value) == "Could not fetch it: the program no-such-program is not installed."


def test_a_hanging_program_is_one_sentence() -> None:
    with pytest.raises(BuildError) as caught:
        run("sleep", "30", purpose="fetch it", timeout_s=0.2)
    assert str(caught.value) == "Could not fetch it: sleep did not finish within 0 s."


def test_programs_speak_english_whatever_the_caller_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run("sh", "-c", "echo $LC_ALL", purpose="ask") == "C.UTF-8\n"
    assert run("sh", "-c", "echo $LC_ALL $X", purpose="ask", env={"X": "x"}) == "C.UTF-8 x\n"


def test_progress_names_each_step(progress: Progress) -> None:
    progress.step("One")
    progress.step("Two")
    progress.finish("both")
    assert isinstance(progress.stream, io.StringIO)
    assert progress.stream.getvalue().splitlines() == [
        "STEP 1/2 One",
        "STEP 2/2 Two",
        "DONE both",
    ]


# ── package sources ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_guest_gets_no_password_of_the_archive() -> None:
    source = Source("https://user:secret@mirror.example/debian", "bookworm", ("main",))
    assert source.for_guests == Source("https://mirror.example/debian", "bookworm", ("main",))


@pytest.mark.parametrize(
    "uri",
    ["file:/srv/debian", "cdrom:[Debian]/", "http://localhost:3142/debian", "http://127.0.0.1/x", "http://[::1]:80/x"],
)
def test_a_guest_gets_no_source_that_only_this_machine_reaches(uri: str) -> None:
    assert Source(uri, "bookworm", ("main",)).for_guests is None


# ── trees, archives, disks ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_file_capability_becomes_the_containers_own() -> None:
    permitted, inheritable = 1 << 13, 0  # CAP_NET_RAW
    revision_2 = struct.pack("<5I", 0x02000001, permitted, inheritable, 0, 0)
    shifted = tree.shifted_capability(revision_2, root_uid=100_000)
    assert struct.unpack("<6I", shifted) == (0x03000001, permitted, inheritable, 0, 0, 100_000)


def test_writing_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/resolv.conf").symlink_to(outside)
    tree.write("new", tree=root, path="/etc/resolv.conf", mode=0o600)
    assert outside.read_text() == "mine"
    assert (root / "etc/resolv.conf").read_text() == "new"
    assert stat.S_IMODE((root / "etc/resolv.conf").lstat().st_mode) == 0o600


def test_the_initrd_is_an_archive_that_cpio_reads(tmp_path: Path) -> None:
    content = cpio.archive([cpio.directory("bin"), cpio.program("bin/hello", b"#!/bin/sh\n"),
                            cpio.character_device("null", major=1, minor=3)])  # fmt: skip
    listing = subprocess.run(
        ["busybox", "cpio", "-itv"], input=content, capture_output=True, check=True
    ).stdout.decode()
    assert [line.split()[0] + " " + line.split()[-1] for line in listing.splitlines()] == [
        "drwxr-xr-x bin",
        "-rwxr-xr-x bin/hello",
        "crw------- null",
    ]


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    for name, needs in {"virtio_blk": "virtio,virtio-ring", "virtio": "", "virtio-ring": "virtio", "other": ""}.items():
        (tmp_path / f"{name}.ko").write_bytes(b"\0license=GPL\0depends=" + needs.encode() + b"\0vermagic=6\0")
    (tmp_path / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    order = [path.name for path in module_closure(tmp_path, ("ext4", "virtio_blk"))]
    assert order == ["virtio.ko", "virtio-ring.ko", "virtio_blk.ko"]


def test_an_unknown_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.builtin").write_text("")
    with pytest.raises(BuildError, match="The kernel has no module virtio_blk"):
        module_closure(tmp_path, ("virtio_blk",))


def test_a_bootable_disk_has_its_parts_in_place(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "hello").write_text("hello")
    boot, core = tmp_path / "boot.img", tmp_path / "core.img"
    boot.write_bytes(b"B" * 512)
    core.write_bytes(b"C" * 30_000)
    path = tmp_path / "disk.raw"
    capacity = 32 * disk.MIB
    disk.make_bootable(path, tree=root, capacity_bytes=capacity, boot=boot, core=core, journal_mib=4)
    data = path.read_bytes()
    assert len(data) == capacity
    assert data[:440] == b"B" * 440
    assert data[510:512] == b"\x55\xaa"
    assert struct.unpack("<B3xB3xII", data[446:462]) == (0x80, 0x83, 2048, capacity // 512 - 2048)
    assert data[512:30_512] == b"C" * 30_000
    partition = tmp_path / "partition"
    partition.write_bytes(data[disk.PARTITION_OFFSET_BYTES :])
    shown = subprocess.run(["/usr/sbin/debugfs", "-R", "cat /hello", str(partition)], capture_output=True, check=True)
    assert shown.stdout == b"hello"


def test_a_boot_loader_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    core = tmp_path / "core.img"
    core.write_bytes(bytes(disk.PARTITION_OFFSET_BYTES))
    with pytest.raises(BuildError, match="larger than the gap"):
        disk.make_bootable(tmp_path / "disk", tree=tmp_path, capacity_bytes=disk.MIB, boot=core, core=core)
    assert not (tmp_path / "disk").exists()


# ── the store ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_image_is_built_once_and_then_taken_from_the_cache(toy: Recipe, tmp_path: Path, progress: Progress) -> None:
    cache = tmp_path / "cache"
    assert store.provide(toy, output=tmp_path / "one", cache=cache, progress=progress) is True
    assert store.provide(toy, output=tmp_path / "two", cache=cache, progress=progress) is False
    assert (tmp_path / "builds").read_text() == "x"
    for output in (tmp_path / "one", tmp_path / "two"):
        assert sorted(path.name for path in output.iterdir()) == ["disk", "manifest.json"]
        described = json.loads((output / manifests.NAME).read_text())
        assert described["files"]["kvm_disk"] == {
            "file": "disk",
            "format": "raw",
            "sha256": "1044dec7206e8d7c9fbb4ae8f766668406d2567fc7fc1a160a9d4700fcf8f8e9",
            "size_bytes": 4,
            "capacity_bytes": 4096,
        }


def test_without_a_cache_it_is_built_in_place_each_time(toy: Recipe, tmp_path: Path, progress: Progress) -> None:
    output = tmp_path / "out"
    for _ in range(2):
        assert store.provide(toy, output=output, cache=None, progress=progress) is True
    assert (tmp_path / "builds").read_text() == "xx"
    assert sorted(path.name for path in output.iterdir()) == [".toy.lock", "disk", "manifest.json"]


def test_who_waited_for_another_builder_takes_what_that_one_built(
    toy: Recipe, tmp_path: Path, progress: Progress
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    with (output / ".toy.lock").open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = pool.submit(store.provide, toy, output=output, cache=None, progress=progress)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        (output / "disk").write_bytes(b"theirs")
        manifests.write(manifest_of(output), directory=output)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert waiting.result(timeout=10) is False
    assert not (tmp_path / "builds").exists()
    assert (output / "disk").read_bytes() == b"theirs"


def test_what_a_killed_build_left_is_replaced(toy: Recipe, tmp_path: Path, progress: Progress) -> None:
    cache = tmp_path / "cache"
    half = cache / ".toy.building" / "files"
    half.mkdir(parents=True)
    (half / "disk").write_text("half")
    store.provide(toy, output=tmp_path / "out", cache=cache, progress=progress)
    assert (tmp_path / "out/disk").read_bytes() == b"disk"
    assert sorted(path.name for path in cache.iterdir()) == [".toy.lock", f"toy-{recipe_key('toy')}"]


def test_a_failed_build_leaves_nothing(toy: Recipe, tmp_path: Path, progress: Progress) -> None:
    def build(*, work: Path, output: Path, progress: Progress) -> Manifest:
        (output / "disk").write_text("half")
        raise BuildError("No.")

    with pytest.raises(BuildError, match=r"^No\.$"):
        store.provide(replace(toy, build=build), output=tmp_path / "out", cache=tmp_path / "cache", progress=progress)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".toy.lock"]
    assert not (tmp_path / "out").exists()


def test_too_little_space_is_one_sentence(toy: Recipe, tmp_path: Path, progress: Progress) -> None:
    greedy = replace(toy, needed_bytes=1 << 60)
    with pytest.raises(BuildError, match=r"^Building toy needs 1099511627776 MiB below .*, but \d+ MiB are free\.$"):
        store.provide(greedy, output=tmp_path / "out", cache=tmp_path / "cache", progress=progress)
    assert not (tmp_path / "out").exists()


def test_another_architecture_is_one_sentence(
    toy: Recipe, tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MACHINE", "s390x")
    with pytest.raises(BuildError, match=r"^The image toy is made of s390x programs; this machine is \w+\.$"):
        store.provide(toy, output=tmp_path / "out", cache=None, progress=progress)
    assert not (tmp_path / "out").exists()


def test_images_of_older_recipes_go_when_nobody_used_them_for_long(toy: Recipe, tmp_path: Path) -> None:
    names = ("kept", "old", "used", "built")
    folders = {name: tmp_path / f"toy-{str(digit) * 16}" for digit, name in enumerate(names)}
    for folder in folders.values():
        folder.mkdir()
        (folder / "disk").touch()
        manifests.write(manifest_of(folder), directory=folder)
        os.utime(folder / manifests.NAME, (1, 1))
    store.use(folders["used"])
    other = tmp_path / "toy-2-0000000000000000"  # another image's
    other.mkdir()
    with (folders["built"] / ".toy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert store.prune(toy, kept=folders["kept"]) == [folders["old"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in (folders["kept"], folders["used"], folders["built"], other)
    )


def test_each_image_has_its_own_key_and_it_is_stable() -> None:
    keys = {slug: recipe_key(slug) for slug in ("micro", "debian-12")}
    assert keys == {slug: recipe_key(slug) for slug in keys}
    assert len(set(keys.values())) == 2
    assert all(len(key) == 16 for key in keys.values())


def test_a_key_changes_with_its_recipe_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "imagebuild"
    subprocess.run(["cp", "-r", str(Path(recipes.__file__).parent), str(copy)], check=True)
    moved = {
        slug: replace(RECIPES[slug], files=copy / RECIPES[slug].files.relative_to(recipes._HERE)) for slug in RECIPES
    }
    monkeypatch.setattr(recipes, "_HERE", copy)
    monkeypatch.setattr(recipes, "RECIPES", moved)
    before = {slug: recipe_key(slug) for slug in moved}
    with (copy / "files/micro/init").open("a") as stream:
        stream.write("# changed\n")
    after = {slug: recipe_key(slug) for slug in moved}
    assert after["micro"] != before["micro"]
    assert after["debian-12"] == before["debian-12"]
