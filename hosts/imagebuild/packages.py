"""Debian packages that the builder needs on the machine it runs on."""

PACKAGES = (
    "apt",
    "debian-archive-keyring",
    "dpkg",
    "e2fsprogs",  # mke2fs
    "mmdebstrap",
    "qemu-utils",  # qemu-img
    "util-linux",  # setpriv, unshare
)
