"""The ``micro`` image: Debian's cloud kernel, busybox and dropbear; root by SSH about 5 s after power-on.

For tests and first steps. Its kernel and initrd lie beside the disk (``boot="kernel"``), and the same tree
serves containers.
"""

import re
import shutil
from pathlib import Path

from hosts.imagebuild import cpio, disk, tree
from hosts.imagebuild.apt import Apt
from hosts.imagebuild.commands import BuildError, run
from hosts.imagebuild.manifest import Manifest, artefact
from hosts.imagebuild.progress import Progress

STEPS = 5
NEEDED_BYTES = 600 * disk.MIB
CAPACITY_BYTES = 128 * disk.MIB
FILES = Path(__file__).with_name("files") / "micro"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
PROGRAM_PACKAGES = (
    "busybox-static",
    "dash",
    "dropbear-bin",
    "e2fsprogs",  # resize2fs
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libcrypt1",
    "libext2fs2",
    "libgmp10",
    "libtomcrypt1",
    "libtommath1",
    "libuuid1",
    "zlib1g",
)
MODULES = (
    "virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "sr_mod", "ext4", "crc32c_generic", "isofs", "virtio_net",
    "virtio_console", "virtio_balloon", "virtio-rng", "evdev", "button", "af_packet",
)  # fmt: skip
_PROGRAMS = {  # path in the package -> path in the image
    "bin/busybox": "bin/busybox",
    "bin/dash": "bin/dash",
    "usr/sbin/dropbear": "usr/sbin/dropbear",
    "usr/bin/dropbearkey": "usr/bin/dropbearkey",
    "usr/bin/dbclient": "usr/bin/dbclient",
    "sbin/resize2fs": "sbin/resize2fs",
}
_FILES = {
    "init": ("sbin/init", 0o755),
    "boot": ("usr/lib/innkeeper/boot", 0o755),
    "power": ("usr/lib/innkeeper/power", 0o755),
    "profile": ("etc/profile", 0o644),
    "ashrc": ("etc/ashrc", 0o644),
}
_NOT_LINKED = {"busybox", "sh", "init", "linuxrc", "poweroff", "halt", "reboot", "dpkg", "dpkg-deb", "rpm", "run-init"}
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/shells": "/bin/sh\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/os-release": 'NAME="Innkeeper micro"\nID=innkeeper-micro\nPRETTY_NAME="Innkeeper micro"\n',
    "etc/motd": "This is micro, a small system for tests and first steps. Its programs are busybox's.\n",
}


def build(*, work: Path, output: Path, progress: Progress) -> Manifest:
    """Build the image's files in ``output``; ``work`` is scratch space. Raises: BuildError."""
    progress.step("Fetch packages")
    apt = Apt(work / "apt")
    apt.update()
    kernel_name = apt.kernel_package(KERNEL_PACKAGE)
    packages = apt.download((kernel_name, *PROGRAM_PACKAGES), directory=work / "packages")

    progress.step("Unpack them and put the root tree together")
    unpacked = work / "unpacked"
    tree.unpack(packages, tree=unpacked)
    root = work / "root"
    _make_root(root, unpacked=unpacked)

    progress.step("Make kernel and initrd")
    version = kernel_name.removeprefix("linux-image-")
    shutil.copyfile(unpacked / f"boot/vmlinuz-{version}", output / "vmlinuz")
    (output / "initrd.img").write_bytes(_initrd(unpacked, version=version))

    progress.step("Make the disk for full machines")
    disk.make_ext4(work / "disk.raw", tree=root, capacity_bytes=CAPACITY_BYTES)
    disk.compress_qcow2(work / "disk.raw", output=output / "disk.qcow2")

    progress.step("Make the root for containers")
    tree.shift_owners(root)
    disk.make_ext4(output / "lxc-root.ext4", tree=root, capacity_bytes=CAPACITY_BYTES)

    return Manifest(
        slug="micro",
        name="Micro",
        os="micro",
        version=version,
        boot="kernel",
        cloud_init=False,
        host_types=("kvm", "lxc"),
        min_disk_gib=1,
        min_memory_mib=96,
        kernel_arguments="root=LABEL=root rw console=tty0 console=ttyS0 quiet",
        lxc_init="/sbin/init",
        files={
            "kvm_disk": artefact(output / "disk.qcow2", format="qcow2", capacity_bytes=CAPACITY_BYTES),
            "kernel": artefact(output / "vmlinuz", format="raw"),
            "initrd": artefact(output / "initrd.img", format="raw"),
            "lxc_root": artefact(output / "lxc-root.ext4", format="raw", capacity_bytes=CAPACITY_BYTES),
        },
    )


def _make_root(root: Path, *, unpacked: Path) -> None:
    for folder in ("dev", "proc", "sys", "run", "mnt", "usr/bin", "usr/sbin", "bin", "sbin", "lib", "lib64",
                   "etc/dropbear", "var/lib/innkeeper", "var/lib/cloud/seed/nocloud", "var/log"):  # fmt: skip
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder, mode in (("root", 0o700), ("tmp", 0o1777)):
        (root / folder).mkdir()
        (root / folder).chmod(mode)
    for source, path in _PROGRAMS.items():
        tree.install(unpacked / source, tree=root, path=path, mode=0o755)
    for library in sorted(unpacked.glob("**/x86_64-linux-gnu/*.so*")):
        if library.parent.name == "x86_64-linux-gnu" and ".so" in library.name:
            tree.install(library.resolve(), tree=root, path=f"lib/x86_64-linux-gnu/{library.name}", mode=0o755)
    tree.link("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", tree=root, path="lib64/ld-linux-x86-64.so.2")
    for name, (path, mode) in _FILES.items():
        tree.install(FILES / name, tree=root, path=path, mode=mode)
    for path, text in _ACCOUNTS.items():
        tree.write(text, tree=root, path=path)
    tree.write("root:!:19700:0:99999:7:::\nnobody:!:19700:0:99999:7:::\n", tree=root, path="etc/shadow", mode=0o600)
    listing = run(unpacked / "bin/busybox", "--list", purpose="ask busybox for its programs")
    for applet in sorted(set(listing.split()) - _NOT_LINKED):
        tree.link("/bin/busybox", tree=root, path=f"bin/{applet}")
    # Not busybox's shell: that prefers its own applets to files, so its "reboot" would bypass ours.
    tree.link("dash", tree=root, path="bin/sh")
    for name in ("poweroff", "halt", "reboot", "shutdown"):
        tree.link("/usr/lib/innkeeper/power", tree=root, path=f"sbin/{name}")


def _initrd(unpacked: Path, *, version: str) -> bytes:
    """Return an archive with busybox, the drivers and a script that loads them and goes to the disk."""
    modules = module_closure(unpacked / "lib/modules" / version, MODULES)
    entries = [cpio.directory(name) for name in ("bin", "dev", "proc", "sys", "root", "modules")]
    entries += [
        cpio.character_device("dev/console", major=5, minor=1),
        cpio.character_device("dev/null", major=1, minor=3),
        cpio.program("bin/busybox", (unpacked / "bin/busybox").read_bytes()),
        cpio.program("init", (FILES / "initrd-init").read_bytes()),
    ]
    entries += [
        cpio.program(f"modules/{number:02}-{path.name}", path.read_bytes()) for number, path in enumerate(modules)
    ]
    return cpio.archive(entries)


def module_closure(directory: Path, names: tuple[str, ...]) -> list[Path]:
    """Return the files of kernel modules and of all they depend on, in an order that loads.

    A module that is built into the kernel has no file and is left out. Raises: BuildError when a name is
    neither, so that a renamed driver is seen at build time.
    """
    files = {_module_name(path): path for path in sorted(directory.rglob("*.ko"))}
    builtin = {_module_name(Path(line)) for line in (directory / "modules.builtin").read_text().split()}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in ordered or name in builtin:
            return
        if name not in files:
            raise BuildError(f"The kernel has no module {name}.")
        for dependency in _dependencies(files[name]):
            add(dependency)
        ordered[name] = files[name]

    for name in names:
        add(name.replace("-", "_"))
    return list(ordered.values())


def _dependencies(path: Path) -> list[str]:
    """Return what a module file says of itself in its section .modinfo."""
    found = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name] if found else []


def _module_name(path: Path) -> str:
    return path.name.removesuffix(".ko").replace("-", "_")
