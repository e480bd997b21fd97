"""What the domains of a host are, whoever made them."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.descriptions import DiskDescription, DomainDescription, NicDescription
from hosts.drivers.libvirt import hook, states
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.disk_places import disk_place
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.named_files import named_files
from hosts.drivers.libvirt.places import LOOK_PREFIX
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml import parse
from hosts.drivers.libvirt.xml.edit import is_kept, mac_of, memory_mib
from hosts.drivers.libvirt.xml.elements import Element, from_text
from hosts.drivers.libvirt.xml.metadata import qualified
from hosts.drivers.libvirt.xml.probe import AskedNic
from hosts.drivers.types import HostType, PowerState, VolumeRef, domain_name

_GONE = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_STORAGE_POOL)


def described(session: Session, profile: Profile, domains: Iterable[Any]) -> list[DomainDescription]:
    """Describe domains, sorted by id; one that goes meanwhile is left out."""
    places = _pools(session)
    read = []
    for domain in domains:
        try:
            if not domain.name().startswith(hook.QUESTION_PREFIX):
                read.append(_Read(session, domain))
        except libvirt.libvirtError as error:
            if not is_code(error, *_GONE):
                raise
    unguarded = _unguarded(session, profile, read)
    return sorted((one.description(profile, places, unguarded) for one in read), key=lambda found: found.id)


def guards(live: Element, guest: Element, identity: UUID) -> tuple[AskedNic, ...]:
    """Return the interfaces of a running domain that have to be guarded, by our metadata in ``guest``."""
    wanted = {one.get("mac"): one for one in guest.iter(qualified("nic")) if one.get("anti_spoofing") == "yes"}
    found = []
    for interface in live.iterfind("devices/interface"):
        nic, target = wanted.get(mac_of(interface)), interface.find("target")
        if nic is not None and target is not None and target.get("dev"):
            found.append(
                AskedNic(
                    of=domain_name(identity),
                    device=target.get("dev", ""),
                    mac=mac_of(interface),
                    addresses=_addresses(nic),
                )
            )
    return tuple(found)


def _addresses(nic: Element) -> tuple[str, ...]:
    return tuple((one.text or "").strip() for one in nic.iter(qualified("address")))


class _Read:
    """What libvirt says of one domain: its state, its configuration, and the one it runs with."""

    def __init__(self, session: Session, domain: Any) -> None:
        self.session, self.domain = session, domain
        self.info = states.one(domain)
        self.persistent = bool(domain.isPersistent())
        self.kept = from_text(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        running = self.info.state in (PowerState.RUNNING, PowerState.PAUSED)
        self.live = from_text(domain.XMLDesc()) if running else None
        self.guest = self.kept.find(f"metadata/{qualified('guest')}")

    @property
    def guarded(self) -> tuple[AskedNic, ...]:
        """The interfaces whose rules have to be in force now."""
        if self.live is None or self.guest is None:
            return ()
        return guards(self.live, self.guest, self.info.id)

    def description(
        self, profile: Profile, places: dict[str, str], unguarded: frozenset[str] | None
    ) -> DomainDescription:
        info = self.info
        disks = tuple(self._disks(places))
        return DomainDescription(
            id=info.id,
            domain_name=info.domain_name,
            title=self.kept.findtext("title") or "",
            host_type=profile.host_type,
            state=info.state,
            persistent=self.persistent,
            ours=info.ours,
            taken_over=is_kept(self.kept),
            owner=(self.guest.get("owner") or "") if self.guest is not None else "",
            vcpus=int(self.kept.findtext("vcpu") or 1),
            memory_mib=memory_mib(self.kept),
            user_namespace=has_user_namespace(self.kept) if profile.host_type is HostType.LXC else None,
            disks=disks,
            nics=tuple(self._nics(unguarded)),
            files=self._files(disks),
        )

    def _disks(self, places: dict[str, str]) -> Iterable[DiskDescription]:
        chains = self._chains()
        mounts = {one.get("target"): one.get("image") for one in self.kept.iter(qualified("mount"))}
        for disk in [*self.kept.iterfind("devices/disk"), *self.kept.iterfind("devices/filesystem")]:
            target, driver = disk.find("target"), disk.find("driver")
            source, path = disk_place(self.session, disk, mounts)
            name = (target.get("dev") or target.get("dir") or "") if target is not None else ""
            type_word = driver.get("type" if disk.tag == "disk" else "format") if driver is not None else None
            yield DiskDescription(
                target=name,
                kind=disk.get("device", "disk") if disk.tag == "disk" else "filesystem",
                source=source,
                path=path,
                format=type_word or "raw",
                capacity_bytes=self._capacity(source, path, name),
                read_only=disk.find("readonly") is not None,
                volume=_volume(source, path, places),
                backing_paths=chains.get(path, ()),
            )

    def _files(self, disks: Iterable[DiskDescription]) -> tuple[str, ...]:
        found = named_files(self.kept) | (named_files(self.live) if self.live is not None else frozenset())
        return tuple(sorted(found | {disk.path for disk in disks if disk.source in ("file", "image")}))

    def _chains(self) -> dict[str, tuple[str, ...]]:
        """Return the files below each disk's: libvirt says so while the domain runs."""
        disks = self.live.iterfind("devices/disk") if self.live is not None else ()
        found = {}
        for disk in disks:
            source = disk.find("source")
            below = [one.get("file") for one in disk.iterfind(".//backingStore/source")]
            if source is not None and source.get("file"):
                found[source.get("file", "")] = tuple(path for path in below if path)
        return found

    def _capacity(self, source: str, path: str, target: str) -> int:
        """Return the size a guest sees of a disk; 0 when the host does not say."""
        if source in ("", "directory"):
            return 0
        try:
            if source != "network":
                return int(self.session.conn.storageVolLookupByPath(path).info()[1])
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_SYSTEM_ERROR):
                raise
        try:
            return int(self.domain.blockInfo(target if source == "network" else path)[0])
        except libvirt.libvirtError:
            return 0

    def _nics(self, unguarded: frozenset[str] | None) -> Iterable[NicDescription]:
        ours = {one.get("mac"): one for one in self.guest.iter(qualified("nic"))} if self.guest is not None else {}
        guarded = {nic.mac: nic.device for nic in self.guarded}
        live = {mac_of(one): one for one in self.live.iterfind("devices/interface")} if self.live is not None else {}
        for interface in self.kept.iterfind("devices/interface"):
            mac = mac_of(interface)
            nic, now = ours.get(mac), live.get(mac)
            target = now.find("target") if now is not None else None
            known = unguarded is not None and mac in guarded
            yield NicDescription(
                mac=mac,
                bridge=_bridge(self.session, interface, now),
                device=(target.get("dev") or "") if target is not None else "",
                anti_spoofing=nic is not None and nic.get("anti_spoofing") == "yes",
                addresses=_addresses(nic) if nic is not None else _own_addresses(interface),
                guarded=guarded[mac] not in (unguarded or ()) if known else None,
            )


def _volume(source: str, path: str, places: Mapping[str, str]) -> VolumeRef | None:
    folder, _, name = path.rpartition("/")
    return VolumeRef(places[folder], name) if source in ("file", "image") and folder in places else None


def has_user_namespace(domain: Element) -> bool:
    """True when nobody in a container is root, or of root's group, outside of it."""
    for kind in ("uid", "gid"):
        maps = domain.findall(f"idmap/{kind}")
        if not maps or any(int(one.get("target", "0")) == 0 for one in maps):
            return False
    return True


def _own_addresses(interface: Element) -> tuple[str, ...]:
    """Return what a foreign configuration says: addresses of a container, or of libvirt's own filter.

    As everybody writes them; a filter's word that is none ("dhcp") is left out.
    """
    given = [one.get("address") or "" for one in interface.iterfind("ip")]
    filters = [one for one in interface.iterfind("filterref/parameter") if (one.get("name") or "").upper() == "IP"]
    said = [*given, *(one.get("value") or "" for one in filters)]
    return tuple(str(address) for one in said if (address := _address(one)) is not None)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _bridge(session: Session, interface: Element, live: Element | None) -> str:
    for one in (live, interface):
        source = one.find("source") if one is not None else None
        if source is not None and source.get("bridge"):
            return source.get("bridge") or ""
    source = interface.find("source")
    if source is None or not source.get("network"):
        return ""
    try:
        return str(session.conn.networkLookupByName(source.get("network")).bridgeName())
    except libvirt.libvirtError:  # such a network has no bridge, or is not there
        return ""


def _pools(session: Session) -> dict[str, str]:
    """Return the names of the host's active directory pools by their directories."""
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR | libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    pools = {pool.name(): pool for pool in session.conn.listAllStoragePools(flags)}
    return {parse.pool_path(pool.XMLDesc()): name for name, pool in pools.items() if not name.startswith(LOOK_PREFIX)}


def _unguarded(session: Session, profile: Profile, read: list[_Read]) -> frozenset[str] | None:
    """Return the interfaces whose rules are not in force, by one question; None when the host does not say."""
    nics = tuple(nic for one in read for nic in one.guarded)
    if not nics:
        return frozenset()
    try:
        answer = hook.ask(session, profile, kind="unguarded", nics=nics)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_HOOK_SCRIPT_FAILED):  # of a version that does not know the question
            return None
        raise
    return None if answer is None else frozenset(answer)
