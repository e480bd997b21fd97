"""Rows of a fleet for tests: hosts with room, networks with addresses, images that can be ordered, plans, guests."""

from typing import Any

from billing.models import Plan
from hosts.drivers.types import Capability, HostType
from hosts.models import Host, HostConnection, Image, Network, StoragePool
from hosts.services.networks import network_create
from hosts.states import HostState, ImageState
from panel.core.actors import SYSTEM
from panel.core.models import Customer
from panel.core.units import GIB
from tests.factories import customer_make, number
from vms.models import Guest

NO_SHAPING = "The kernel of this host cannot shape traffic."


def host_make(
    *, types: tuple[str, ...] = ("kvm", "lxc"), pool_gib: int = 1000, shaping: bool = True, **fields: Any
) -> Host:
    """Make an active host with one pool, as a check would have left it. Its drivers answer nobody."""
    host = Host.objects.create(
        **{
            "name": f"host-{number()}",
            "state": HostState.ACTIVE,
            "cpus": 16,
            "memory_mib": 65536,
            "limit_vcpus": 64,
            "limit_memory_mib": 64512,
            "boot_id": "b1",
            **fields,
        }
    )
    for host_type in types:
        connection_make(host, host_type, shaping=shaping)
    StoragePool.objects.create(
        host=host,
        name=f"pool-{number()}",
        path="/var/lib/innkeeper/pool",
        limit_gib=pool_gib,
        capacity_bytes=pool_gib * GIB,
        available_bytes=pool_gib * GIB,
    )
    host.refresh_from_db()
    return host


def connection_make(host: Host, host_type: str, *, shaping: bool = True) -> HostConnection:
    """Give a host a hypervisor."""
    reasons = {} if shaping else {Capability.BANDWIDTH: NO_SHAPING}
    return HostConnection.objects.create(
        host=host,
        host_type=host_type,
        driver="simulated",
        uri=f"simulated:///{host.name}?socket=/nowhere",
        capabilities=[
            {"capability": str(c), "available": c not in reasons, "reason": reasons.get(c, "")} for c in Capability
        ],
    )


def network_make(*hosts: Host, addresses: int = 200, **fields: Any) -> Network:
    """Make a network with so many free IPv4 addresses (at most 253) and an IPv6 subnet, on these hosts."""
    n = number()
    third, fourth = divmod(n, 250)
    prefix = f"10.{third}.{fourth}"
    kept = [f"{prefix}.{2 + addresses}-{prefix}.254"] if addresses < 253 else []
    return network_create(
        actor=SYSTEM,
        **{
            "name": f"net-{n}",
            "kind": "routed",
            "bridge": f"br{n}",
            "cidr_v4": f"{prefix}.0/24",
            "gateway_v4": f"{prefix}.1",
            "cidr_v6": f"fd00:{n:x}::/64",
            "gateway_v6": f"fd00:{n:x}::1",
            "reserved": kept,
            "hosts": hosts,
            **fields,
        },
    )


def image_make(**fields: Any) -> Image:
    """Make an image that can be ordered, without files."""
    image = Image.objects.create(
        **{
            "slug": f"image-{number()}",
            "name": "Debian 12",
            "os": "debian",
            "state": ImageState.READY,
            "host_types": [HostType.KVM.value, HostType.LXC.value],
            "min_disk_gib": 2,
            **fields,
        }
    )
    image.refresh_from_db()
    return image


def plan_make(**fields: Any) -> Plan:
    """Make a plan: 1 vCPU, 512 MiB, 10 GiB on KVM and LXC, 4.90 a month, 0.0080 an hour."""
    slug = f"plan-{number()}"
    plan = Plan.objects.create(
        **{
            "slug": slug,
            "name": slug,
            "host_types": ["kvm", "lxc"],
            "vcpus": 1,
            "memory_mib": 512,
            "disk_gib": 10,
            "price_monthly": "4.90",
            "price_hourly": "0.008",
            **fields,
        }
    )
    plan.refresh_from_db()
    return plan


def guest_make(customer: Customer | None = None, **fields: Any) -> Guest:
    """Make a guest row, active and off, without devices; nothing of it is on a host."""
    size = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1}
    state = {"lifecycle": "active", "power_state": "shutoff", "power_wanted": "off"}
    fields = {"name": f"guest-{number()}", "host_type": "kvm", **size, **state, **fields}
    fields.setdefault("hostname", fields["name"])
    fields.setdefault("image", None)
    if fields["image"] is None:
        fields["image"] = image_make()
    guest = Guest.objects.create(customer=customer or customer_make(), **fields)
    guest.refresh_from_db()
    return guest
