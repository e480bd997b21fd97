"""Domains: configuration and power."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.descriptions import GONE, ConfigurationChange, PartChange
from hosts.drivers.libvirt import adoption, console, facts, hook, pools, states, volumes
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.places import CONSOLE_DIRECTORY, console_log_name
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml.common import HostPaths, volumes_of
from hosts.drivers.libvirt.xml.compare import differences
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.elements import from_text, to_text
from hosts.drivers.libvirt.xml.metadata import needs_hook
from hosts.drivers.types import Capability, DomainInfo, DomainSpec, HostType, PowerState, domain_name
from panel.core.errors import CapabilityError, DriverError, LeftoversError, VolumeNotFoundError

_POLL_S = 0.1
_VOLUMES_GONE = (ConfigurationChange(part="volumes", change=PartChange.REMOVED),)
# A guest that is just booting may miss the power button; it is pressed again.
_ASK_AGAIN_S = 5.0
_ASK_BY = {
    HostType.KVM: libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
    HostType.LXC: libvirt.VIR_DOMAIN_SHUTDOWN_INITCTL,
}

_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


# What a customer may read; the host's own reason is for staff.
_CANNOT = {
    Capability.ACCELERATION: "The host has no hardware virtualization.",
    Capability.ANTI_SPOOFING: "The host cannot protect its servers' addresses.",
    Capability.BANDWIDTH: "The host cannot limit bandwidth.",
    Capability.PROCESS_LIMIT: "The host cannot limit a container's processes.",
}


def find(session: Session, domain: UUID) -> Any:
    """Return libvirt's object of a domain. Raises: libvirtError "no domain"."""
    return session.conn.lookupByUUID(domain.bytes)


def _exists(session: Session, domain: UUID) -> bool:
    try:
        find(session, domain)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
            return False
        raise
    return True


def define(session: Session, profile: Profile, spec: DomainSpec) -> None:
    """Make or replace the persistent configuration. Raises: VolumeNotFoundError, CapabilityError."""
    _check_capabilities(session, profile, spec)
    pools.ensure_console_pool(session)
    if _exists(session, spec.id) and adoption.is_foreign(domain := find(session, spec.id), spec.id):
        adoption.change(session, domain, spec)
        return
    session.conn.defineXML(to_text(domain_xml(spec, _paths(session, spec))))


def _check_capabilities(session: Session, profile: Profile, spec: DomainSpec) -> None:
    needed = []
    if any(nic.bandwidth_mbit_per_s is not None for nic in spec.nics):
        needed.append(Capability.BANDWIDTH)
    if any(nic.anti_spoofing for nic in spec.nics):
        needed.append(Capability.ANTI_SPOOFING)
    if spec.max_processes and spec.host_type is HostType.LXC:
        needed.append(Capability.PROCESS_LIMIT)
    if spec.host_type is HostType.KVM and not spec.emulated:
        needed.append(Capability.ACCELERATION)
    for capability in needed:
        state = facts.state(session, profile, capability)
        if not state.available:
            raise CapabilityError(_CANNOT[capability], detail=state.reason, capability=capability)
    if spec.host_type is HostType.LXC:
        _check_hook(session, profile)


def _check_hook(session: Session, profile: Profile) -> None:
    obstacle = hook.hook_obstacle(session, profile)
    if obstacle:
        raise CapabilityError("The host is not ready for servers of this type.", detail=obstacle)


def _paths(session: Session, spec: DomainSpec) -> HostPaths:
    return HostPaths(
        volumes={ref: volumes.path(session, ref) for ref in volumes_of(spec)},
        console_log=f"{CONSOLE_DIRECTORY}/{console_log_name(spec.domain_name)}",
    )


def changes(session: Session, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
    """Name what of the persistent configuration is not as ``define`` would make it; nothing when all is."""
    try:
        domain = find(session, spec.id)
        if not domain.isPersistent():  # it runs, and nothing of it would be left when it is off
            return GONE
        if adoption.is_foreign(domain, spec.id):
            return adoption.changes(domain, spec)
        wanted = domain_xml(spec, _paths(session, spec))
    except VolumeNotFoundError:
        return _VOLUMES_GONE
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
            return GONE
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_STORAGE_VOL):
            return _VOLUMES_GONE
        raise
    return tuple(differences(wanted, from_text(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))))


def undefine(session: Session, profile: Profile, identity: UUID) -> None:
    """Remove a domain that is off and everything made for it; volumes stay. Raises: LeftoversError."""
    obstacle = hook.hook_obstacle(session, profile)
    if _exists(session, identity):
        domain = find(session, identity)
        if domain.isActive():
            raise DriverError("The server is running.")
        if obstacle and profile.hooked and needs_hook(from_text(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))):
            raise LeftoversError(detail=obstacle)  # while the domain still tells that there may be some
        domain.undefineFlags(_UNDEFINE if profile.host_type is HostType.KVM else 0)
    name = domain_name(identity)
    if not obstacle:
        _clean(session, profile, name)
    if profile.keeps_console:
        console.remove(session, name)


def _clean(session: Session, profile: Profile, name: str) -> None:
    try:
        left = hook.ask(session, profile, kind="clean", about=name)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_HOOK_SCRIPT_FAILED):
            raise LeftoversError(detail=str(error)[:2000]) from error
        raise
    if left:
        raise LeftoversError(detail=", ".join(left))


def leftovers(session: Session, profile: Profile, identity: UUID) -> Iterator[str]:
    """Name everything on the host that belongs to a domain."""
    name = domain_name(identity)
    if _exists(session, identity):
        yield f"domain {name}"
    for log in console.logs(session, name) if profile.keeps_console else []:
        yield f"log {log}"
    if not hook.hook_obstacle(session, profile):
        yield from hook.ask(session, profile, kind="leftovers", about=name) or []


def start(session: Session, profile: Profile, identity: UUID) -> None:
    """Boot a domain; a running one is success."""
    domain = find(session, identity)
    if domain.isActive():
        return
    if needs_hook(from_text(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))):
        _check_hook(session, profile)
    try:
        domain.create()
    except libvirt.libvirtError as error:
        # Another caller was faster.
        if not is_code(error, libvirt.VIR_ERR_OPERATION_INVALID) or not domain.isActive():
            raise


def destroy(session: Session, identity: UUID) -> None:
    """Cut the power; a domain that is off is success."""
    domain = find(session, identity)
    if not domain.isActive():
        return
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_OPERATION_INVALID) or domain.isActive():
            raise


def shutdown(session: Session, profile: Profile, identity: UUID, *, timeout_s: float) -> bool:
    """Ask a guest to power off and watch whether it does."""
    domain = find(session, identity)
    deadline = time.monotonic() + timeout_s
    ask_at = 0.0
    while domain.isActive():
        now = time.monotonic()
        if now >= deadline:
            return False
        if now >= ask_at:
            _ask_to_power_off(domain, profile)
            # A container's init takes a second request for something else.
            ask_at = now + _ASK_AGAIN_S if profile.host_type is not HostType.LXC else deadline
        time.sleep(_POLL_S)
    return True


def _ask_to_power_off(domain: Any, profile: Profile) -> None:
    """libvirt's success means that it asked, not that anybody listened.

    A full machine gets its power button pressed. libvirt's own choice would be the guest agent, which is in the hands
    of the guest's root and can keep the call waiting.
    A container is asked through /run/initctl. No signal follows: systemd would restart itself, busybox's init reboot.
    """
    try:
        domain.shutdownFlags(_ASK_BY.get(profile.host_type, libvirt.VIR_DOMAIN_SHUTDOWN_DEFAULT))
    except libvirt.libvirtError as error:
        # Off already; paused, so that it cannot hear; or a container whose init is not there yet.
        heard = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_SYSTEM_ERROR)
        if not is_code(error, *heard, libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_INTERNAL_ERROR):
            raise


def reboot(session: Session, profile: Profile, identity: UUID, *, timeout_s: float) -> bool:
    """Ask a guest to power off, then start it.

    libvirt's own reboot is not used: a request that QEMU's guest ignores stays in force, and its next power-off,
    days later, would restart it. Started anew it also has the configuration that was defined last.
    """
    if not shutdown(session, profile, identity, timeout_s=timeout_s):
        return False
    start(session, profile, identity)
    return True


def pause(session: Session, identity: UUID) -> None:
    """Freeze a running domain; a frozen one is success."""
    domain = find(session, identity)
    if states.one(domain).state is not PowerState.PAUSED:
        domain.suspend()


def resume(session: Session, identity: UUID) -> None:
    """Let a frozen domain run; a running one is success."""
    domain = find(session, identity)
    if states.one(domain).state is not PowerState.RUNNING:
        domain.resume()


def listing(session: Session, profile: Profile) -> list[DomainInfo]:
    """List all domains, sorted by id."""
    found = states.bulk(session) if profile.bulk_stats else states.each(session)
    shown = (info for info in found if not info.domain_name.startswith(hook.QUESTION_PREFIX))
    return sorted(shown, key=lambda info: info.id)
