"""Which files of a host its domains need, and which the overlays on it do.

libvirt says what an overlay is on while the domain runs, and of the volumes in its pools. For a domain that is off and
whose disk is in no pool, the disk's directory is made a pool that nobody keeps, for as long as it takes to list it.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import libvirt

from hosts.drivers.descriptions import DomainDescription, FileUse
from hosts.drivers.libvirt import hook
from hosts.drivers.libvirt import pools as pools_of_host
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.places import LOOK_PREFIX
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml import parse
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.storage import pool_element
from hosts.drivers.types import HostType, PowerState
from panel.core.errors import VolumeNotFoundError

_WITH_FILES = (
    libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_FS
    | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_NETFS
)
_GONE = (libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_STORAGE_POOL)
_UNKNOWN = "not a question"  # to a hook of a former version
_NOT_THERE = "No such file or directory"
_ASKED_AT_ONCE = 20  # files; an answer has room for no more
_ATTEMPTS, _PAUSE_S = 20, 0.2  # two may want to look at the same directory


def uses(
    session: Session,
    profile: Profile,
    domains: Sequence[DomainDescription],
    *,
    pools: Sequence[str],
    files: Sequence[str],
) -> list[FileUse]:
    """Return them; see ``HypervisorDriver.file_uses``."""
    named = [FileUse(path=path, by=one.domain_name, domain=one.id) for one in domains for path in one.files]
    there = {pool.name(): pool for pool in session.conn.listAllStoragePools(_WITH_FILES)}
    missing = set(pools) - there.keys()
    if missing:
        raise VolumeNotFoundError(detail=f"pool {min(missing)}")
    overlays, read = list[FileUse](), set[str]()
    for name, pool in there.items():
        if not name.startswith(LOOK_PREFIX):
            read.add(parse.pool_path(pool.XMLDesc()))
            overlays += _of_pool(pool, must_be_there=name in pools)
    waiting = [path for domain in domains for path in _unsaid(domain)]
    waiting += [one.path for one in overlays]
    while waiting:
        directory = waiting.pop().rpartition("/")[0]
        if directory not in read:
            read.add(directory)
            found = _of_directory(session, directory)
            overlays += found
            waiting += [one.path for one in found]
    found = [*named, *overlays]
    return [*found, *_by_other_names(session, profile, files, found)]


def _by_other_names(session: Session, profile: Profile, files: Sequence[str], uses: list[FileUse]) -> Iterator[FileUse]:
    """Return uses of files by names that the panel does not know them by: through links and mounts.

    Only the host's hook can tell. Where none is installed, or one of a former version, names have to do.
    """
    names = sorted({use.path for use in uses} - {"", *files})
    for first in range(0, len(files), _ASKED_AT_ONCE):
        wanted = files[first : first + _ASKED_AT_ONCE]
        try:
            answer = hook.ask(session, profile, kind="same_files", wanted=wanted, named=names)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_HOOK_SCRIPT_FAILED) or _UNKNOWN not in str(error):
                raise
            return
        for path, same in zip(wanted, answer or (), strict=False):
            others = {names[number] for number in same}
            yield from (replace(use, path=path) for use in uses if use.path in others)


def _unsaid(domain: DomainDescription) -> Iterator[str]:
    """Return the files of disks that may be overlays, where libvirt does not say of what."""
    running = domain.state in (PowerState.RUNNING, PowerState.PAUSED)
    if domain.host_type is HostType.KVM and running:
        return
    for disk in domain.disks:
        if disk.source in ("file", "image") and disk.format != "raw":
            yield disk.path


def _of_pool(pool: Any, *, must_be_there: bool) -> list[FileUse]:
    try:
        pools_of_host.refresh(pool)
        volumes = pool.listAllVolumes()
    except libvirt.libvirtError as error:
        if must_be_there or _NOT_THERE not in str(error):
            raise
        return []
    found = []
    for volume in volumes:
        try:
            below, path = parse.volume_backing_path(volume.XMLDesc()), volume.path()
        except libvirt.libvirtError as error:
            if not is_code(error, *_GONE):
                raise
        else:
            if below.startswith("/"):
                found.append(FileUse(path=below, by=path, domain=None))
    return found


def _of_directory(session: Session, directory: str) -> list[FileUse]:
    """Look at a directory that is no pool. Where libvirt does not let us, what is needed there may be any file."""
    name = f"{LOOK_PREFIX}{hashlib.sha256(directory.encode()).hexdigest()[:16]}"
    xml = to_text(pool_element(name=name, path=directory))
    for attempt in range(_ATTEMPTS):
        try:
            pool = session.conn.storagePoolCreateXML(xml)
        except libvirt.libvirtError as error:
            if _NOT_THERE in str(error):
                return []
            pool = None
        if pool is not None:
            try:
                return _of_pool(pool, must_be_there=False)
            finally:
                with suppress(libvirt.libvirtError):
                    pool.destroy()
        time.sleep(_PAUSE_S)
        if attempt == _ATTEMPTS // 2:  # whoever made it has died
            with suppress(libvirt.libvirtError):
                session.conn.storagePoolLookupByName(name).destroy()
    return [FileUse(path="", by=directory, domain=None)]
