"""The ``debian-12`` image: a whole Debian with systemd, cloud-init and OpenSSH.

A full machine gets a partitioned disk with a boot loader and a kernel of its own, so that its root may
upgrade both. A container gets the same system without them.
"""

import shutil
from pathlib import Path

from hosts.imagebuild import disk, tree
from hosts.imagebuild.apt import KEYRING, Apt, Source, acquire_options, guest_options
from hosts.imagebuild.commands import run
from hosts.imagebuild.manifest import Manifest, artefact
from hosts.imagebuild.progress import Progress

STEPS = 5
NEEDED_BYTES = 4096 * disk.MIB
CAPACITY_BYTES = 2048 * disk.MIB
CODENAME = "bookworm"
FILES = Path(__file__).with_name("files") / "debian"
MACHINE_PACKAGES = (  # what a container has no use for
    "grub-pc-bin",
    "grub2-common",
    "initramfs-tools",
    "linux-image-cloud-amd64",
    "netplan.io",
    "qemu-guest-agent",
)
PACKAGES = (
    "ca-certificates",
    "cloud-guest-utils",  # growpart
    "cloud-init",
    "curl",
    "dbus",
    "e2fsprogs",
    "fdisk",
    "iproute2",
    "iputils-ping",
    "less",
    "libpam-systemd",
    "nano",
    "netbase",
    "openssh-server",
    "procps",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
)
_FILES = {
    "90-innkeeper.cfg": ("etc/cloud/cloud.cfg.d/90-innkeeper.cfg", 0o644),
    "innkeeper-announce": ("usr/lib/innkeeper/announce", 0o755),
    "innkeeper-announce.service": ("etc/systemd/system/innkeeper-announce.service", 0o644),
    "sysctl.conf": ("etc/sysctl.d/50-innkeeper.conf", 0o644),
}
_BOOT_FILES = {
    "grub.cfg": ("boot/grub/grub.cfg", 0o600),
    "grub.default": ("etc/default/grub", 0o644),
    "grub-early.cfg": ("boot/grub/early.cfg", 0o644),
}
_BOOT_MODULES = (
    "biosdisk", "part_msdos", "ext2", "search", "search_label", "search_fs_uuid", "search_fs_file",
    "configfile", "normal", "linux", "serial", "terminal", "echo", "test", "gzio", "all_video",
)  # fmt: skip
_CONTAINER_FILES = {
    "container/91-innkeeper.cfg": ("etc/cloud/cloud.cfg.d/91-innkeeper.cfg", 0o644),
    "container/cloud-init-local.conf": ("etc/systemd/system/cloud-init-local.service.d/50-innkeeper.conf", 0o644),
    "container/dns": ("usr/lib/innkeeper/dns", 0o755),
    "container/innkeeper-dns.service": ("etc/systemd/system/innkeeper-dns.service", 0o644),
    "container/user-manager.conf": ("etc/systemd/system/user@.service.d/50-innkeeper.conf", 0o644),
}
_SERVICES = ("systemd-networkd.service", "systemd-resolved.service", "innkeeper-announce.service")
_UNUSED_UNITS = ("e2scrub_reap.service", "e2scrub_all.timer")  # they look after LVM snapshots
_UNITS_WITHOUT_RIGHTS = ("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount")


def build(*, work: Path, output: Path, progress: Progress) -> Manifest:
    """Build the image's files in ``output``; ``work`` is scratch space. Raises: BuildError."""
    progress.step("Look for Debian 12 in this machine's package sources")
    apt = Apt(work / "apt")
    apt.update()
    sources = apt.sources(CODENAME)

    progress.step("Install Debian into a directory")
    root = work / "root"
    _install_system(root, sources=sources)
    _configure(root, sources=sources)

    progress.step("Make the disk for full machines")
    _add_boot_loader(root)
    version = (root / "vmlinuz").readlink().name.removeprefix("vmlinuz-")
    disk.make_bootable(work / "disk.raw", tree=root, capacity_bytes=CAPACITY_BYTES,
                       boot=root / "boot/grub/i386-pc/boot.img", core=root / "boot/grub/i386-pc/core.img")  # fmt: skip
    progress.step("Compress it")
    disk.compress_qcow2(work / "disk.raw", output=output / "disk.qcow2")

    progress.step("Make the root for containers")
    _strip_for_container(root)
    tree.shift_owners(root)
    disk.make_ext4(output / "lxc-root.ext4", tree=root, capacity_bytes=CAPACITY_BYTES)

    return Manifest(
        slug="debian-12",
        name="Debian 12",
        os="debian",
        version=f"12 (kernel {version})",
        boot="disk",
        cloud_init=True,
        host_types=("kvm", "lxc"),
        min_disk_gib=2,
        min_memory_mib=512,
        kernel_arguments="",
        lxc_init="/sbin/init",
        files={
            "kvm_disk": artefact(output / "disk.qcow2", format="qcow2", capacity_bytes=CAPACITY_BYTES),
            "lxc_root": artefact(output / "lxc-root.ext4", format="raw", capacity_bytes=CAPACITY_BYTES),
        },
    )


def _install_system(root: Path, *, sources: list[Source]) -> None:
    """Run mmdebstrap where its mounts and processes end with it, whatever ends this builder."""
    options = [f"--aptopt={option}" for option in ("Acquire::Languages none;", *acquire_options())]
    run("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
        "mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", f"--keyring={KEYRING}",
        "--dpkgopt=force-unsafe-io", *options, f"--include={','.join((*PACKAGES, *MACHINE_PACKAGES))}",
        CODENAME, root, *(source.line for source in sources),
        purpose="install Debian into a directory", timeout_s=3600)  # fmt: skip


def _configure(root: Path, *, sources: list[Source]) -> None:
    for name, (path, mode) in _FILES.items():
        tree.install(FILES / name, tree=root, path=path, mode=mode)
    for service in _SERVICES:
        _in_tree(root, "systemctl", "enable", service, purpose=f"enable {service}")
    for unit in _UNUSED_UNITS:
        _in_tree(root, "systemctl", "disable", unit, purpose=f"disable {unit}")
    # netplan comes without compiled modules; cloud-init runs it at the first boot, where each second counts.
    _in_tree(root, "python3", "-m", "compileall", "-q", "/usr/share/netplan", purpose="compile netplan's modules")
    _write_sources(root, sources=sources)
    tree.write("debian\n", tree=root, path="etc/hostname")
    tree.write("LANG=C.UTF-8\n", tree=root, path="etc/default/locale")
    tree.write("", tree=root, path="etc/machine-id")  # each machine makes its own
    tree.link("../run/systemd/resolve/stub-resolv.conf", tree=root, path="etc/resolv.conf")
    (root / "var/lib/cloud/seed/nocloud").mkdir(parents=True, exist_ok=True)
    for made_here in (*(root / "etc/ssh").glob("ssh_host_*"), *(root / "etc/apt/apt.conf.d").glob("99mmdebstrap")):
        made_here.unlink()


def _write_sources(root: Path, *, sources: list[Source]) -> None:
    """Give the guest this machine's sources, so that it can upgrade from where it was installed."""
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    entries = [
        f"Types: deb\nURIs: {source.uri}\nSuites: {source.suite}\n"
        f"Components: {' '.join(source.components)}\nSigned-By: {KEYRING}\n"
        for source in (source.for_guests for source in sources)
        if source is not None
    ]
    text = "\n".join(entries) or "# The sources this image was made from cannot be reached from a guest.\n"
    tree.write(text, tree=root, path="etc/apt/sources.list.d/debian.sources")
    if options := guest_options():
        tree.write("\n".join(options) + "\n", tree=root, path="etc/apt/apt.conf.d/90innkeeper")


def _add_boot_loader(root: Path) -> None:
    for name, (path, mode) in _BOOT_FILES.items():
        tree.install(FILES / name, tree=root, path=path, mode=mode)
    modules = root / "boot/grub/i386-pc"
    modules.mkdir(exist_ok=True)
    for pattern in ("*.mod", "*.lst", "boot.img"):
        for module in (root / "usr/lib/grub/i386-pc").glob(pattern):
            shutil.copyfile(module, modules / module.name)
    _in_tree(root, "grub-mkimage", "-O", "i386-pc", "-o", "/boot/grub/i386-pc/core.img", "-c", "/boot/grub/early.cfg",
             "-p", "/boot/grub", *_BOOT_MODULES, purpose="make the boot loader's image")  # fmt: skip
    tree.write("LABEL=root / ext4 defaults,errors=remount-ro 0 1\n", tree=root, path="etc/fstab")


def _strip_for_container(root: Path) -> None:
    shutil.rmtree(root / "boot/grub")  # otherwise removing the kernel runs update-grub, which fails here
    _in_tree(root, "apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", "purge", "--autoremove", *MACHINE_PACKAGES,
             purpose="remove the kernel for containers")  # fmt: skip
    for leftover in (root / "boot", root / "usr/lib/modules", root / "usr/share/netplan"):
        shutil.rmtree(leftover, ignore_errors=True)
    for empty in (root / "boot", root / "usr/lib/modules"):
        empty.mkdir()
    for link in ("vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old"):
        (root / link).unlink(missing_ok=True)
    for name, (path, mode) in _CONTAINER_FILES.items():
        tree.install(FILES / name, tree=root, path=path, mode=mode)
    _in_tree(root, "systemctl", "enable", "innkeeper-dns.service", purpose="enable innkeeper-dns.service")
    _in_tree(root, "systemctl", "disable", "systemd-networkd.service", purpose="disable systemd-networkd.service")
    for unit in _UNITS_WITHOUT_RIGHTS:
        tree.link("/dev/null", tree=root, path=f"etc/systemd/system/{unit}")
    tree.write("# The host mounts this container's root.\n", tree=root, path="etc/fstab")


def _in_tree(root: Path, *arguments: str, purpose: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    run("chroot", root, *arguments, purpose=purpose, env=environment)
