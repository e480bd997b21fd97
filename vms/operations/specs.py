"""From rows to the driver's values: a guest's domain and its seed."""

import ipaddress

from hosts.drivers.seed import SeedRequest
from hosts.drivers.types import (
    AddressSpec,
    Capability,
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    VolumeFormat,
    VolumeRef,
)
from hosts.models import HostConnection, IPAddress, Network, Volume
from vms.models import Guest, GuestSecret, Nic

LEAST_PROCESSES = 512


def root_volume(guest: Guest) -> VolumeRef:
    """Return the root disk's volume: named after the guest, but where it was for one that was taken over."""
    if guest.domain_name:
        volume = Volume.objects.select_related("pool").get(disk__guest=guest, disk__index=0)
        return VolumeRef(volume.pool.name, volume.name)
    assert guest.pool is not None  # noqa: S101 - who asks has checked
    suffix = "raw" if guest.host_type == HostType.LXC else "qcow2"
    return VolumeRef(guest.pool.name, f"guest-{guest.pk}-root.{suffix}")


def seed_volume(guest: Guest) -> VolumeRef | None:
    """Return the seed's volume; None for a guest that was taken over."""
    if guest.domain_name:
        return None
    assert guest.pool is not None  # noqa: S101 - who asks has checked
    suffix = "ext4" if guest.host_type == HostType.LXC else "iso"
    return VolumeRef(guest.pool.name, f"guest-{guest.pk}-seed.{suffix}")


def guest_spec(guest: Guest) -> DomainSpec:
    """Return the domain of a guest as it should be."""
    return domain_spec(guest, root=root_volume(guest), seed=seed_volume(guest))


def _disks(guest: Guest) -> tuple[DiskSpec, ...]:
    """Return the disks of one that was taken over, without those that are left alone."""
    rows = guest.disks.filter(volume__left_alone=False).select_related("volume__pool")
    return tuple(
        DiskSpec(volume=VolumeRef(row.volume.pool.name, row.volume.name), format=VolumeFormat(row.volume.format))
        for row in rows.order_by("index")
        if row.volume is not None
    )


def domain_spec(guest: Guest, *, root: VolumeRef, seed: VolumeRef | None) -> DomainSpec:
    """Return the domain of a guest. Four queries."""
    connection = HostConnection.objects.get(host=guest.host, host_type=guest.host_type)
    container = guest.host_type == HostType.LXC
    made_disks = (DiskSpec(volume=root, format=VolumeFormat.RAW if container else VolumeFormat.QCOW2),)
    limit = guest.bandwidth_mbit_per_s if connection.can(Capability.BANDWIDTH) else None
    return DomainSpec(
        id=guest.pk,
        name=guest.name,
        host_type=HostType(guest.host_type),
        vcpus=guest.vcpus,
        memory_mib=guest.memory_mib,
        disks=_disks(guest) if guest.domain_name else made_disks,
        nics=nic_specs(guest, bandwidth_mbit_per_s=limit),
        seed=seed,
        kernel=_kernel(guest, root.pool) if guest.boot_volumes and not container else None,
        init=guest.image.lxc_init,
        max_processes=process_limit(guest, connection) if container else 0,
        emulated=connection.emulated,
        owner=str(guest.customer_id),
    )


def process_limit(guest: Guest, connection: HostConnection) -> int:
    """Return how many processes a container may have: its plan's number, else one for each MiB of its memory.

    At least 512, with which every system boots. 0, not limited, only where the host cannot limit them.
    """
    if guest.max_processes or not connection.can(Capability.PROCESS_LIMIT):
        return guest.max_processes
    return max(LEAST_PROCESSES, guest.memory_mib)


def _kernel(guest: Guest, pool: str) -> KernelSpec:
    boot = guest.boot_volumes
    return KernelSpec(
        kernel=VolumeRef(pool, boot["kernel"]), initrd=VolumeRef(pool, boot["initrd"]), arguments=boot["arguments"]
    )


def nic_specs(guest: Guest, *, bandwidth_mbit_per_s: int | None = None) -> tuple[NicSpec, ...]:
    """Return the guest's nics with the addresses they may send from."""
    addresses: dict[object, list[IPAddress]] = {}
    for address in IPAddress.objects.filter(owner_id=guest.pk).order_by("family", "order"):
        addresses.setdefault(address.nic_id, []).append(address)
    return tuple(
        NicSpec(
            mac=nic.mac,
            bridge=nic.network.bridge,
            addresses=tuple(_address(nic.network, a) for a in addresses.get(nic.pk, [])),
            mtu=nic.network.mtu,
            bandwidth_mbit_per_s=bandwidth_mbit_per_s,
        )
        for nic in _nics(guest)
    )


def _nics(guest: Guest) -> list[Nic]:
    return list(guest.nics.select_related("network").order_by("index"))


def _address(network: Network, address: IPAddress) -> AddressSpec:
    v4 = address.family == 4
    cidr, gateway = (network.cidr_v4, network.gateway_v4) if v4 else (network.cidr_v6, network.gateway_v6)
    return AddressSpec(address=address.address, prefix=ipaddress.ip_network(cidr).prefixlen, gateway=gateway or "")


def seed_request(guest: Guest, *, with_hash: bool = True) -> SeedRequest:
    """Return what the guest's seed says. ``instance_id`` changes with a rebuild, so that it is set up anew."""
    secret = GuestSecret.objects.filter(guest=guest).first() if with_hash else None
    dns: list[str] = []
    for nic in _nics(guest):
        dns += [server for server in nic.network.dns_servers if server not in dns]
    return SeedRequest(
        hostname=guest.hostname,
        instance_id=guest.seed_instance_id,
        root_keys=tuple(guest.ssh_keys),
        root_password_hash=secret.root_password_hash if secret else None,
        user_data=guest.user_data,
        nics=nic_specs(guest),
        dns_servers=tuple(dns),
    )
