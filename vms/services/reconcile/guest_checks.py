"""Guests against domains. Pure: two snapshots in, findings out."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hosts.drivers.descriptions import ConfigurationChange, DiskDescription, DomainDescription
from hosts.drivers.types import PowerState
from panel.core.units import bytes_from_gib
from vms.models import DifferenceKind, Severity
from vms.services.reconcile.snapshots import Finding, GuestView, HostView, PanelView
from vms.states import Lifecycle

MOST_PARTS = 20  # of a changed configuration are told
PROOF = 3  # successful listings, a minute apart, before "not listed" counts


def domain_checks(panel: PanelView, host: HostView) -> Iterator[Finding]:
    """Domains that no guest belongs to, and addresses that a domain uses and the panel has not given it."""
    guests = {guest.id for guest in panel.guests}
    for domain in host.domains:
        if domain.id in panel.busy:
            continue
        if domain.id not in guests:
            yield Finding(
                kind=DifferenceKind.DOMAIN_WITHOUT_GUEST,
                severity=Severity.MEDIUM if domain.ours else Severity.LOW,
                key=f"domain:{panel.host_id}:{domain.id}",
                label=domain.domain_name,
                object_type="domain",
                object_id=domain.id,
                host_id=panel.host_id,
                host_type=panel.host_type,
                found=domain_json(domain),
            )
        yield from _addresses(panel, domain)


def _addresses(panel: PanelView, domain: DomainDescription) -> Iterator[Finding]:
    for address in sorted({one for nic in domain.nics for one in nic.addresses}):
        owner = panel.addresses.get(address, domain.id)
        if owner == domain.id:
            continue
        yield Finding(
            kind=DifferenceKind.ADDRESS_NOT_ALLOCATED,
            severity=Severity.HIGH if owner is not None else Severity.MEDIUM,
            key=f"address-use:{panel.host_id}:{domain.id}:{address}",
            label=address,
            object_type="domain",
            object_id=domain.id,
            host_id=panel.host_id,
            host_type=panel.host_type,
            expected={"owner": owner},
            found={"address": address, "domain": domain.domain_name},
        )


def guest_checks(panel: PanelView, host: HostView) -> Iterator[Finding]:
    """Guests that the host does not list, or has otherwise than the panel. Guests at work are left out."""
    domains = {domain.id: domain for domain in host.domains}
    guests = [one for one in panel.guests if one.id not in panel.busy and one.lifecycle == Lifecycle.ACTIVE]
    # Those that the collector has not seen either.
    lost = [one for one in guests if one.id not in domains and one.power_state == PowerState.UNKNOWN]
    all_lost = bool(lost) and len(lost) == len(guests)
    if all_lost:
        yield _all_lost(panel, lost)
    for guest in lost:
        yield _finding(
            panel, guest, DifferenceKind.GUEST_WITHOUT_DOMAIN, Severity.MEDIUM if all_lost else Severity.HIGH,
            expected={"domain": str(guest.id)}, proof=PROOF, proves=all_lost or bool(host.domains),
        )  # fmt: skip
    for guest in guests:
        domain = domains.get(guest.id)
        if domain is None:
            continue
        wrong = [*_size(panel, guest, domain), *_network(panel, guest, domain)]
        yield from wrong
        if domain.persistent:
            changes = host.changes.get(guest.id, ())
            yield from _configuration(panel, guest, [one for one in changes if one.reaches_host or not wrong])
        elif not wrong:  # gone when it is switched off
            lost_when_off = {"persistent": False}
            yield _finding(panel, guest, DifferenceKind.CONFIGURATION_CHANGED, Severity.MEDIUM, found=lost_when_off)
        unguarded = sorted(nic.mac for nic in domain.nics if nic.guarded is False)
        if unguarded:
            yield _finding(panel, guest, DifferenceKind.FILTER_MISSING, Severity.HIGH, found={"unguarded": unguarded})


def _configuration(panel: PanelView, guest: GuestView, changes: list[ConfigurationChange]) -> Iterator[Finding]:
    """What else was changed by hand; severe when the guest gets at something of its host by it."""
    if not changes:
        return
    severe = any(one.reaches_host for one in changes)
    worst_first = sorted(changes, key=lambda one: not one.reaches_host)
    told = [{"part": one.part, "change": one.change.value} for one in worst_first[:MOST_PARTS]]
    yield _finding(
        panel,
        guest,
        DifferenceKind.CONFIGURATION_CHANGED,
        Severity.HIGH if severe else Severity.LOW,
        found={"changes": told, "more": len(changes) - len(told)},
    )


def _all_lost(panel: PanelView, lost: list[GuestView]) -> Finding:
    """One difference for all of them: it is the host that has forgotten, and nobody deleted so many servers."""
    return Finding(
        kind=DifferenceKind.HOST_LOST_GUESTS,
        severity=Severity.HIGH,
        key=f"host-lost-guests:{panel.host_id}:{panel.host_type}",
        label=panel.host_name,
        object_type="host",
        object_id=panel.host_id,
        host_id=panel.host_id,
        host_type=panel.host_type,
        expected={"guests": len(lost)},
        found={"guests": 0, "restarted": all(guest.seen_boot_id != panel.boot_id for guest in lost)},
    )


def _size(panel: PanelView, guest: GuestView, domain: DomainDescription) -> Iterator[Finding]:
    expected: dict[str, int] = {"vcpus": guest.vcpus, "memory_mib": guest.memory_mib}
    found: dict[str, int] = {"vcpus": domain.vcpus, "memory_mib": domain.memory_mib}
    root = next((disk for disk in domain.disks if not disk.read_only), None)
    if root is not None and not guest.taken_over and 0 < root.capacity_bytes < bytes_from_gib(guest.disk_gib):
        expected["disk_bytes"], found["disk_bytes"] = bytes_from_gib(guest.disk_gib), root.capacity_bytes
    if expected != found:
        yield _finding(panel, guest, DifferenceKind.WRONG_SIZE, Severity.MEDIUM, expected=expected, found=found)


def _network(panel: PanelView, guest: GuestView, domain: DomainDescription) -> Iterator[Finding]:
    expected = {nic.mac: {"bridge": nic.bridge, "addresses": sorted(nic.addresses)} for nic in guest.nics}
    found = {nic.mac: {"bridge": nic.bridge, "addresses": sorted(nic.addresses)} for nic in domain.nics}
    open_nics = sorted(nic.mac for nic in domain.nics if not nic.anti_spoofing)
    if expected == found and not open_nics:
        return
    known = {address for nic in guest.nics for address in nic.addresses}
    more = {address for nic in domain.nics for address in nic.addresses} - known
    yield _finding(
        panel, guest, DifferenceKind.WRONG_NETWORK, Severity.HIGH if open_nics or more else Severity.MEDIUM,
        expected={"nics": expected}, found={"nics": found, "without_filter": open_nics},
    )  # fmt: skip


def _finding(
    panel: PanelView,
    guest: GuestView,
    kind: DifferenceKind,
    severity: Severity,
    *,
    expected: dict[str, Any] | None = None,
    found: dict[str, Any] | None = None,
    proof: int = 1,
    proves: bool = True,
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        key=f"{kind}:{guest.id}",
        label=guest.name,
        object_type="guest",
        object_id=guest.id,
        customer_id=guest.customer_id,
        host_id=panel.host_id,
        host_type=panel.host_type,
        expected=expected or {},
        found=found or {},
        proof=proof,
        proves=proves,
    )


def domain_json(domain: DomainDescription) -> dict[str, Any]:
    """Return a description as it is kept with a difference and shown to staff."""
    return {
        "name": domain.domain_name,
        "running": domain.state in (PowerState.RUNNING, PowerState.PAUSED),
        "persistent": domain.persistent,
        "ours": domain.ours,
        "vcpus": domain.vcpus,
        "memory_mib": domain.memory_mib,
        "user_namespace": domain.user_namespace,
        "disks": [_disk_json(disk) for disk in domain.disks],
        "nics": [{"mac": nic.mac, "bridge": nic.bridge, "addresses": sorted(nic.addresses)} for nic in domain.nics],
    }


def _disk_json(disk: DiskDescription) -> dict[str, Any]:
    shown = {**asdict(disk), "volume": asdict(disk.volume) if disk.volume else None}
    del shown["backing_paths"]  # libvirt says it only while the domain runs
    return shown
