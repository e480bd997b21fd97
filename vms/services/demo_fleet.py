"""A large made-up fleet, for measuring and for looking at pages with many rows."""

import ipaddress
import random
import uuid

from django.db import connection, transaction
from django.utils import timezone

from hosts.models import Host, HostConnection, Image, IPAddress, Network, StoragePool
from hosts.states import HostState, ImageState
from panel.core.models import Customer
from vms.models import Disk, Guest, Nic

_WORDS = ("web", "db", "mail", "shop", "build", "cache", "git", "test", "api", "queue")
_SIZES = ((1, 1024, 20), (2, 2048, 40), (2, 4096, 80), (4, 8192, 160), (8, 16384, 320))
_POWER = ("running", "running", "running", "running", "shutoff", "unknown")
BATCH = 5000


@transaction.atomic
def demo_fleet_make(*, hosts: int, guests: int, customers: int, seed: int = 1) -> None:
    """Make rows of ``hosts`` hosts in five locations and ``guests`` guests, spread evenly.

    Their connections are disabled, so nothing tries to reach them. The same ``seed`` gives the same names and
    sizes. Room and quota counters are what the guests add up to.
    """
    rnd = random.Random(seed)  # noqa: S311 - made-up data
    image, _ = Image.objects.get_or_create(
        slug="demo", defaults={"name": "Demo", "os": "debian", "state": ImageState.READY, "host_types": ["kvm", "lxc"]}
    )
    owners = Customer.objects.bulk_create(
        [Customer(name=f"Demo customer {n:05d}") for n in range(customers)], batch_size=BATCH
    )
    machines = _hosts(hosts, guests)
    network = _network(machines)
    for start in range(0, guests, BATCH):
        _guests(range(start, min(start + BATCH, guests)), machines, owners, image, network, rnd)
    _add_up()


def _hosts(count: int, guests: int) -> list[Host]:
    share = -(-guests // max(1, count))
    made = Host.objects.bulk_create(
        [
            Host(
                name=f"demo-{uuid.uuid4().hex[:6]}-{n:04d}",
                location=f"zone-{n % 5 + 1}",
                state=HostState.ACTIVE,
                cpus=64,
                memory_mib=524288,
                limit_vcpus=8 * share + 256,
                limit_memory_mib=16384 * share + 524288,
                last_seen_at=timezone.now(),
                load_cpu_percent=5 + n % 30,
                load_memory_percent=20 + n % 60,
            )
            for n in range(count)
        ],
        batch_size=BATCH,
    )
    HostConnection.objects.bulk_create(
        [
            HostConnection(
                host=host, host_type=kind, driver="simulated", uri=f"simulated:///{host.name}", enabled=False
            )
            for host in made
            for kind in ("kvm", "lxc")
        ],
        batch_size=BATCH,
    )
    StoragePool.objects.bulk_create(
        [StoragePool(host=host, name="demo", path="/demo", limit_gib=320 * share + 1000) for host in made],
        batch_size=BATCH,
    )
    return made


def _network(machines: list[Host]) -> Network:
    network = Network.objects.create(
        name=f"demo-{uuid.uuid4().hex[:6]}", kind="routed", bridge="demo0", cidr_v4="11.0.0.0/8", gateway_v4="11.0.0.1"
    )
    network.hosts.set(machines)
    return network


def _guests(
    numbers: range, machines: list[Host], owners: list[Customer], image: Image, network: Network, rnd: random.Random
) -> None:
    pools = {pool.host_id: pool for pool in StoragePool.objects.filter(host__in=machines, name="demo")}
    first = int(ipaddress.ip_address("11.0.0.2"))
    guests, nics, addresses = [], [], []
    for n in numbers:
        host = machines[n % len(machines)]
        vcpus, memory_mib, disk_gib = rnd.choice(_SIZES)
        guest = Guest(
            name=f"{rnd.choice(_WORDS)}-{n:06d}", customer=owners[n % len(owners)], host=host, pool=pools[host.pk],
            host_type=rnd.choice(("kvm", "lxc")), vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib, image=image,
            lifecycle="active", power_state=rnd.choice(_POWER), observed_at=timezone.now(),
        )  # fmt: skip
        mac = ":".join(f"{byte:02x}" for byte in (0x02, 0xDE, *(n.to_bytes(4, "big"))))
        nic = Nic(guest=guest, network=network, mac=mac)
        guests.append(guest)
        nics.append(nic)
        address = str(ipaddress.ip_address(first + n))
        addresses.append(
            IPAddress(network=network, address=address, family=4, order=n + 2, owner_id=guest.pk, nic_id=nic.pk)
        )
    Guest.objects.bulk_create(guests, batch_size=BATCH)
    Nic.objects.bulk_create(nics, batch_size=BATCH)
    IPAddress.objects.bulk_create(addresses, batch_size=BATCH)
    Disk.objects.bulk_create([Disk(guest=guest, size_gib=guest.disk_gib) for guest in guests], batch_size=BATCH)


def _add_up() -> None:
    """Set the counters of demo rows to what their guests hold."""
    with connection.cursor() as cursor:
        cursor.execute("""
            UPDATE hosts_host h SET used_vcpus = s.vcpus, used_memory_mib = s.memory_mib
            FROM (SELECT host_id, sum(vcpus) vcpus, sum(memory_mib) memory_mib FROM vms_guest
                  WHERE lifecycle <> 'deleted' GROUP BY host_id) s
            WHERE s.host_id = h.id AND h.name LIKE 'demo-%'""")
        cursor.execute("""
            UPDATE hosts_storagepool p SET used_gib = s.disk_gib
            FROM (SELECT pool_id, sum(disk_gib) disk_gib FROM vms_guest WHERE lifecycle <> 'deleted' GROUP BY pool_id) s
            WHERE s.pool_id = p.id AND p.name = 'demo'""")
        cursor.execute("""
            UPDATE core_customer c SET used_guests = s.guests, used_addresses = s.guests, used_vcpus = s.vcpus,
                   used_memory_mib = s.memory_mib, used_disk_gib = s.disk_gib
            FROM (SELECT customer_id, count(*) guests, sum(vcpus) vcpus, sum(memory_mib) memory_mib,
                         sum(disk_gib) disk_gib FROM vms_guest WHERE lifecycle <> 'deleted' GROUP BY customer_id) s
            WHERE s.customer_id = c.id AND c.name LIKE 'Demo customer %'""")
