"""Directory pools."""

from contextlib import suppress
from typing import Any

import libvirt

from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.places import CONSOLE_DIRECTORY, CONSOLE_POOL
from hosts.drivers.libvirt.xml import parse
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.storage import pool_element
from hosts.drivers.types import PoolInfo, PoolSpec
from panel.core.errors import DriverError


def ensure(session: Session, spec: PoolSpec) -> PoolInfo:
    """Define, build, start and autostart a pool. Raises: DriverError when the name has another directory."""
    pool = _find(session.conn, spec.name) or _define(session.conn, spec)
    if parse.pool_path(pool.XMLDesc()) != spec.path:
        raise DriverError("A storage pool of this name has another directory.", detail=spec.name)
    if not pool.isActive():
        _start(pool)
    pool.setAutostart(1)
    return info(session, spec.name)


def ensure_console_pool(session: Session) -> None:
    """Have the pool through which console logs are read; once for each connection."""
    session.once("console pool", lambda: ensure(session, PoolSpec(name=CONSOLE_POOL, path=CONSOLE_DIRECTORY)))


def info(session: Session, name: str) -> PoolInfo:
    """Return a pool's fill."""
    pool = session.conn.storagePoolLookupByName(name)
    refresh(pool)
    _, capacity, allocation, available = pool.info()
    return PoolInfo(name=name, capacity_bytes=capacity, allocation_bytes=allocation, available_bytes=available)


def remove(session: Session, name: str) -> None:
    """Stop and undefine a pool; its files stay."""
    pool = _find(session.conn, name)
    if pool is None:
        return
    if pool.isActive():
        pool.destroy()
    pool.undefine()


def refresh(pool: Any) -> None:
    """Make libvirt look at the directory again.

    It refuses while a copy runs in the pool; then what it knows by itself has to do, and that is everything
    that was made through it.
    """
    try:
        pool.refresh()
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_INVALID):
            raise


def _find(conn: Any, name: str) -> Any | None:
    try:
        return conn.storagePoolLookupByName(name)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
            return None
        raise


def _define(conn: Any, spec: PoolSpec) -> Any:
    try:
        return conn.storagePoolDefineXML(to_text(pool_element(name=spec.name, path=spec.path)))
    except libvirt.libvirtError:
        pool = _find(conn, spec.name)
        if pool is None:
            raise
        return pool  # another process was faster


def _start(pool: Any) -> None:
    try:
        pool.build()
        pool.create()
    except libvirt.libvirtError:
        with suppress(libvirt.libvirtError):
            if pool.isActive():
                return  # another process was faster
        raise
