"""Where a disk of a configuration is, whoever wrote it: a file, a device, a directory, or something on the network."""

from collections.abc import Mapping

import libvirt

from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.xml.elements import Element

_GONE = (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_STORAGE_VOL)


def disk_place(session: Session, disk: Element, mounts: Mapping[str | None, str | None]) -> tuple[str, str]:
    """Return the ``source`` and ``path`` of ``DiskDescription`` for a ``<disk>`` or ``<filesystem>``.

    ``mounts``: of our containers, the image that is mounted at each directory. A file system that a pool of libvirt's
    has is looked up there. What is on the network is written as an address: "rbd://ceph1:6789/vms/web".
    """
    source = disk.find("source")
    if source is None:
        return "", ""
    if disk.get("type") == "volume":
        return _of_volume(session, source.get("pool") or "", source.get("volume") or "")
    if disk.get("type") == "network":
        return "network", _address(source)
    if file := source.get("file"):
        return ("image" if disk.tag == "filesystem" else "file"), file
    if directory := source.get("dir"):
        directory = directory.rstrip("/") or "/"
        image = mounts.get(directory)
        return ("file", image) if image else ("directory", directory)
    path = source.get("dev") or source.get("name") or ""
    return (disk.get("type", ""), path) if path else ("", "")


def _of_volume(session: Session, pool: str, name: str) -> tuple[str, str]:
    """Return what a volume of a pool is; ("volume", ...) when the host does not have it, or does not say."""
    try:
        volume = session.conn.storagePoolLookupByName(pool).storageVolLookupByName(name)
        kind, path = volume.info()[0], str(volume.path())
    except libvirt.libvirtError as error:
        if not is_code(error, *_GONE, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
        return "volume", f"{pool}/{name}"
    words = {libvirt.VIR_STORAGE_VOL_FILE: "file", libvirt.VIR_STORAGE_VOL_BLOCK: "block"}
    return (words[kind], path) if kind in words else ("volume", f"{pool}/{name}")


def _address(source: Element) -> str:
    host = source.find("host")
    given: Mapping[str, str] = host.attrib if host is not None else {}
    name, port = given.get("name") or given.get("socket") or "", given.get("port")
    if ":" in name:
        name = f"[{name}]"
    return f"{source.get('protocol', '')}://{name}{f':{port}' if port else ''}/{(source.get('name') or '').lstrip('/')}"
