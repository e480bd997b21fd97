"""Debian packages that the builder needs on the machine it runs on."""

PACKAGES = (
    "apt",
    "debian-archive-keyring",
    "dpkg",
    "e2fsprogs",  # mke2fs
    "fdisk",  # sfdisk
    "grub-common",  # grub-mkimage
    "grub-pc-bin",  # the boot loader's modules
    "mmdebstrap",
    "qemu-utils",  # qemu-img
)
