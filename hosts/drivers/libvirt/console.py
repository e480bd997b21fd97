"""What guests print: logs in a pool of their own, read by volume download."""

from contextlib import suppress
from typing import Any

import libvirt

from hosts.drivers.libvirt import pools, transfer
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.places import CONSOLE_POOL, console_log_name
from hosts.drivers.libvirt.xml import parse

# The log before the present one: virtlogd's (QEMU), the hook's (LXC).
_OLDER = (".0", ".1")


def output(session: Session, domain_name: str, *, max_bytes: int) -> bytes:
    """Return the last bytes of a domain's console; empty when nothing was kept."""
    pools.ensure_console_pool(session)
    pool = session.conn.storagePoolLookupByName(CONSOLE_POOL)
    name = console_log_name(domain_name)
    tail = _tail(session, pool, name, max_bytes)
    if tail is None:
        # A log made since libvirt last looked.
        pools.refresh(pool)
        tail = _tail(session, pool, name, max_bytes) or b""
    for suffix in _OLDER:
        if len(tail) < max_bytes:
            tail = (_tail(session, pool, name + suffix, max_bytes - len(tail)) or b"") + tail
    return tail


def logs(session: Session, domain_name: str) -> list[str]:
    """Return the names of a domain's logs."""
    pools.ensure_console_pool(session)
    pool = session.conn.storagePoolLookupByName(CONSOLE_POOL)
    pools.refresh(pool)
    prefix = console_log_name(domain_name)
    return sorted(name for name in pool.listVolumes() if name == prefix or name.startswith(f"{prefix}."))


def remove(session: Session, domain_name: str) -> None:
    """Delete a domain's logs."""
    names = logs(session, domain_name)
    pool = session.conn.storagePoolLookupByName(CONSOLE_POOL)
    for name in names:
        with suppress(libvirt.libvirtError):  # what stays is named by the caller's leftovers
            pool.storageVolLookupByName(name).delete()


def _tail(session: Session, pool: Any, name: str, max_bytes: int) -> bytes | None:
    """Return the end of one log; None when libvirt knows none or its file is gone."""
    try:
        volume = pool.storageVolLookupByName(name)
        size = parse.volume_size_bytes(volume.XMLDesc())
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_SYSTEM_ERROR):
            return None
        raise
    offset = max(0, size - max_bytes)
    return transfer.download(session.conn, volume, offset=offset, length=size - offset)
