"""A small hosting company, as rows: what page tests walk through and screenshots show."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing.models import Subscription
from hosts.models import Host, HostConnection, Image, IPAddress, Network, StoragePool
from panel.core.audit import audit_record
from panel.core.models import ApiToken, Customer, Job, PanelBackup, PanelProcess, User
from panel.core.units import GIB
from tests import factories, stock
from tests.browser.demo_jobs import jobs_make
from tests.browser.demo_usage import usage_make
from tests.browser.pages import OPERATOR, OWNER, PASSWORD, STAFF
from vms.models import Difference, Disk, Guest, Nic

SPOOF_REASON = "The kernel of this host cannot shape traffic: it has no sch_sfq."
ACCELERATION_REASON = "The processor offers no hardware virtualization here, so full machines are emulated: slow."


@dataclass(frozen=True, slots=True)
class Demo:
    """What pages are opened for."""

    admin: User
    owner: User
    customer: Customer
    host: Host
    slow_host: Host
    network: Network
    guest: Guest
    building: Guest
    broken: Guest
    unwatched: Guest
    unseen: Guest
    silent_host: Host
    jobs: dict[str, Job]


def demo_make() -> Demo:
    """Make the whole company. Meant for an empty database."""
    admin = factories.staff_make(email=STAFF, name="Ada Brandt", password=PASSWORD)
    factories.staff_make("operator", email=OPERATOR, name="Linus Oh", password=PASSWORD)
    house = factories.house_make()
    northwind = factories.customer_make(
        name="Northwind Traders", email="it@northwind.example", external_id="10021", quota_guests=20, quota_vcpus=40,
        quota_memory_mib=65536, quota_disk_gib=1000, quota_addresses=20,
    )  # fmt: skip
    others = [factories.customer_make(name=name, email=f"hello@{slug}.example") for name, slug in OTHERS]
    owner = factories.member_make(northwind, "owner", email=OWNER, name="Grace Kim", password=PASSWORD)
    factories.member_make(northwind, "member", email="alan@northwind.example", name="Alan Moore", password=PASSWORD)
    factories.member_make(northwind, "viewer", email="audit@northwind.example", name="")
    factories.client_make(name="WHMCS")
    for person, word in ((admin, "monitoring"), (owner, "deploy script")):
        ApiToken.objects.filter(pk=factories.token_make(person).token.pk).update(name=word)
    factories.ssh_key_make(northwind, name="grace laptop")
    images = [_image(**fields) for fields in IMAGES]
    plans = {fields["slug"]: stock.plan_make(**fields) for fields in PLANS}
    hosts = [_host(number) for number in range(len(HOSTS))]
    network = _network(hosts)
    guests = _guests([northwind, house, *others], hosts, images, network)
    for guest in guests:
        Subscription.objects.create(customer=guest.customer, plan=plans[guest.plan_slug], guest=guest)
    mine = [guest for guest in guests if guest.customer_id == northwind.pk]
    differences = _differences(hosts[0], mine[0])
    jobs = jobs_make(mine, northwind, owner, admin=admin, hosts=hosts, image=images[0], differences=differences)
    _audit(admin, owner, mine, hosts)
    _processes()
    usage_make(guests, hosts)
    return Demo(
        admin=admin, owner=owner, customer=northwind, host=hosts[0], slow_host=hosts[-1], network=network,
        guest=mine[0], building=mine[1], broken=mine[7], unwatched=mine[9], unseen=guests[10],
        silent_host=hosts[4], jobs=jobs,
    )  # fmt: skip


def _processes() -> None:
    """The panel's other processes, which a page's test does not start; heard of for as long as it may take."""
    now = timezone.now()
    for number, kind in enumerate(("worker", "worker", "builder", "collector", "collector")):
        started = now - timedelta(hours=30 + number)
        PanelProcess.objects.create(
            id=uuid.uuid4(), kind=kind, machine=f"panel-{number % 2 + 1}", pid=4100 + number, version="0.1.0",
            started_at=started, seen_at=now + timedelta(hours=1),
        )  # fmt: skip
    PanelBackup.objects.create(
        created_at=now - timedelta(days=9, hours=3), file="panel.backup", size_bytes=48 * 1024**2, sha256="",
        with_secrets=True, seconds=4.2,
    )  # fmt: skip


OTHERS = (("Blue Harbor Studio", "blueharbor"), ("Contoso Pharma", "contoso"), ("Hanbit Soft", "hanbit"))
IMAGES: tuple[dict[str, Any], ...] = (
    {"slug": "debian-12", "name": "Debian 12", "os": "debian", "os_version": "12", "boot": "disk", "cloud_init": True,
     "host_types": ["kvm", "lxc"], "min_disk_gib": 2, "min_memory_mib": 256, "size_bytes": 412 * 1024**2},
    {"slug": "micro", "name": "Micro", "os": "micro", "os_version": "1", "boot": "kernel", "cloud_init": False,
     "host_types": ["kvm", "lxc"], "min_disk_gib": 1, "min_memory_mib": 64, "size_bytes": 23 * 1024**2},
)  # fmt: skip
_SIZES = (("s-1", "S1", 1, 1024, 20, "3.90"), ("s-2", "S2", 2, 2048, 40, "6.90"), ("m-1", "M1", 2, 4096, 60, "12.50"),
          ("l-1", "L1", 4, 8192, 120, "24.00"))  # fmt: skip
PLANS: tuple[dict[str, Any], ...] = (
    *(
        {"slug": slug, "name": name, "host_types": ["kvm", "lxc"], "vcpus": vcpus, "memory_mib": memory,
         "disk_gib": disk, "price_monthly": Decimal(price), "price_hourly": round(Decimal(price) / 672, 6)}
        for slug, name, vcpus, memory, disk, price in _SIZES
    ),
    {"slug": "c-1", "name": "Container C1", "host_types": ["lxc"], "vcpus": 1, "memory_mib": 256, "disk_gib": 5,
     "price_monthly": Decimal("1.50"), "price_hourly": Decimal("0.002240"), "max_processes": 512},
)  # fmt: skip
HOSTS = (
    ("fsn-01", "Falkenstein", 96, 411648, 71, 62, 0), ("fsn-02", "Falkenstein", 96, 411648, 44, 51, 0),
    ("fsn-03", "Falkenstein", 64, 262144, 12, 18, 0), ("sel-01", "Seoul", 128, 524288, 88, 90, 0),
    ("sel-02", "Seoul", 128, 524288, 35, 40, 1500), ("lab-01", "Lab", 2, 24576, 23, 31, 0),
)  # fmt: skip


def _image(**fields: Any) -> Image:
    return stock.image_make(checksum="5e0f6c1b" * 8, **fields)


def _host(number: int) -> Host:
    name, location, cpus, memory, cpu, used, silent_s = HOSTS[number]
    emulated = name.startswith("lab")
    seen = timezone.now() - timedelta(seconds=silent_s)
    host = stock.host_make(
        types=(), name=name, location=location, cpus=cpus, memory_mib=memory, address=f"10.20.0.{number + 11}",
        cpu_model="AMD EPYC 9454P 48-Core Processor", limit_vcpus=cpus * 4, limit_memory_mib=memory - 1024,
        used_vcpus=cpus * 4 * cpu // 100, used_memory_mib=memory * used // 110, load_cpu_percent=cpu * 0.6,
        load_memory_percent=used * 0.9, last_seen_at=seen, boot_id=str(uuid.uuid4()),
        last_error="connection reset by peer" if silent_s else "",
    )  # fmt: skip
    for host_type in ("kvm", "lxc"):
        HostConnection.objects.create(
            host=host, host_type=host_type, driver="simulated", uri=f"simulated:///{name}?socket=/run/sim.sock",
            hypervisor="QEMU 7.2.22" if host_type == "kvm" else "LXC 6.18.44", libvirt_version="9.0.0",
            emulated=emulated and host_type == "kvm", last_seen_at=seen,
            capabilities=_capabilities(slow=emulated and host_type == "kvm", shaping=not emulated),
        )  # fmt: skip
    limit = 4000 if cpus > 2 else 200
    StoragePool.objects.filter(host=host).update(
        limit_gib=limit, used_gib=limit * used // 100, capacity_bytes=limit * GIB, available_bytes=limit * GIB // 2
    )
    return host


def _capabilities(*, slow: bool, shaping: bool) -> list[dict[str, Any]]:
    reasons = {"acceleration": ACCELERATION_REASON} if slow else {}
    if not shaping:
        reasons["bandwidth"] = SPOOF_REASON
    names = ("acceleration", "anti_spoofing", "bandwidth", "bulk_stats", "graphics", "guest_agent", "pause",
             "process_limit", "reset")  # fmt: skip
    return [{"capability": n, "available": n not in reasons, "reason": reasons.get(n, "")} for n in names]


def _network(hosts: list[Host]) -> Network:
    return stock.network_make(
        *hosts, addresses=253, name="public-1", kind="nat", bridge="ink4f2a", cidr_v4="203.0.113.0/24",
        gateway_v4="203.0.113.1", cidr_v6="2001:db8:40::/64", gateway_v6="2001:db8:40::1",
        dns_servers=["203.0.113.1"],
    )  # fmt: skip


NAMES = ("web-1", "web-2", "db-1", "mail", "ci-runner", "staging", "cache-1", "old-shop", "backup", "vpn",
         "git", "wiki", "monitor", "web-3", "queue-1", "search", "blog", "dns-1")  # fmt: skip
UNWATCHED = timedelta(hours=2, minutes=12)  # nobody has looked at it for so long; its host answers
_STATES: dict[int, dict[str, Any]] = {
    1: {"lifecycle": "provisioning", "power_state": "unknown", "power_wanted": "on"},
    3: {"power_state": "shutoff", "power_wanted": "off"},
    5: {"power_state": "paused", "state_reason": "disk_full", "power_wanted": "on"},
    7: {"lifecycle": "error", "power_state": "shutoff", "error_message": "The host's storage is full."},
    9: {"seen_ago": UNWATCHED},
    10: {"power_state": "unknown", "seen_ago": timedelta(minutes=25)},
    16: {"power_state": "unknown", "seen_ago": timedelta(minutes=25)},
}

_HOST_OF = {4: 0}  # else on the silent one


def _guests(customers: list[Customer], hosts: list[Host], images: list[Image], network: Network) -> list[Guest]:
    free = IPAddress.objects.filter(network=network, family=4).order_by("order")
    guests = []
    for number, (name, address) in enumerate(zip(NAMES, free, strict=False)):
        customer = customers[0] if number < 10 else customers[1 + number % (len(customers) - 1)]
        plan = PLANS[number % 4]
        born = timezone.now() - timedelta(hours=5 + number * 31)
        state = {"lifecycle": "active", "power_state": "running", "power_wanted": "on", **_STATES.get(number, {})}
        seen = timezone.now() - state.pop("seen_ago", timedelta())
        built = state["lifecycle"] == "active"
        guest = stock.guest_make(
            customer, name=name, host=hosts[_HOST_OF.get(number, number % len(hosts))],
            image=images[1 if number in (4, 6) else 0],
            host_type="lxc" if number % 3 == 2 else "kvm", plan_slug=plan["slug"], vcpus=plan["vcpus"],
            memory_mib=plan["memory_mib"], disk_gib=plan["disk_gib"], observed_at=seen,
            labels={"env": "production", "team": "web"} if number == 0 else {}, created_at=born,
            host_keys=HOST_KEYS if built else [], booted_at=born if built else None, **state,
        )  # fmt: skip
        Disk.objects.create(guest=guest, size_gib=guest.disk_gib)
        nic = Nic.objects.create(guest=guest, network=network, mac=f"52:54:00:a7:10:{number:02x}")
        IPAddress.objects.filter(pk=address.pk).update(owner_id=guest.pk, nic_id=nic.pk, taken_at=born)
        IPAddress.objects.create(
            network=network, address=f"2001:db8:40::{number + 16:x}", family=6, owner_id=guest.pk, nic_id=nic.pk
        )
        guests.append(guest)
    suspended = guests[8]
    suspended.suspensions.create(reason="payment", was_running=True)
    for customer in customers:
        mine = [guest for guest in guests if guest.customer_id == customer.pk]
        Customer.objects.filter(pk=customer.pk).update(
            used_guests=len(mine), used_addresses=len(mine), used_vcpus=sum(guest.vcpus for guest in mine),
            used_memory_mib=sum(guest.memory_mib for guest in mine),
            used_disk_gib=sum(guest.disk_gib for guest in mine),
        )  # fmt: skip
    return guests


HOST_KEYS = [
    {"type": "ssh-ed25519", "fingerprint": "SHA256:qS1fO0mZcZ3eJk8xkV0l9m2hN4b7d6pQwR5tYuIoPa8"},
    {"type": "ecdsa-sha2-nistp256", "fingerprint": "SHA256:Zx9cVbNm1QwErTyUiOp2AsDfGhJkL3ZxCvBnM4QwErT"},
]


def _differences(host: Host, guest: Guest) -> list[Difference]:
    """One that can be repaired, one that can be taken over, one whose release loses data, and one that waits."""
    disk = {
        "target": "vda", "kind": "disk", "source": "file", "path": "/var/lib/libvirt/images/erp.qcow2",
        "format": "qcow2", "capacity_bytes": 40 * GIB, "read_only": False, "volume": None,
    }  # fmt: skip
    erp = {
        "name": "erp-2019", "running": True, "persistent": True, "ours": False, "vcpus": 2, "memory_mib": 4096,
        "disks": [disk], "nics": [{"mac": "52:54:00:7a:10:01", "bridge": "ink4f2a", "addresses": []}],
    }  # fmt: skip
    size = {"vcpus": 2, "memory_mib": 2048}
    stray = {"pool": "main", "name": "old-web.qcow2", "capacity_bytes": 20 * GIB}
    rows: list[tuple[str, str, str, str, dict[str, Any], dict[str, Any]]] = [
        ("wrong-size", "medium", "open", guest.name, size, {**size, "memory_mib": 8192}),
        ("domain-without-guest", "low", "open", "erp-2019", {}, erp),
        ("volume-without-owner", "low", "open", "old-web.qcow2", {}, stray),
        ("volume-missing", "high", "suspected", "guest-data.qcow2", {"pool": "main", "kind": "root"}, {}),
    ]
    made = []
    for number, (kind, severity, state, label, expected, found) in enumerate(rows):
        row = Difference.objects.create(
            kind=kind, severity=severity, state=state, key=f"demo-{number}", host=host, host_type="kvm", label=label,
            object_type="guest" if kind == "wrong-size" else "domain", expected=expected, found=found,
            object_id=guest.pk if kind == "wrong-size" else uuid.uuid4(), last_seen_at=timezone.now(),
        )  # fmt: skip
        made.append(row)
    for number, row in enumerate(made):  # one after the other over the last days
        Difference.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(hours=1 + 17 * number))
    return made


def _audit(admin: User, owner: User, mine: list[Guest], hosts: list[Host]) -> None:
    staff, customer = factories.actor_make(admin), factories.actor_make(owner)
    for guest, action, changes in (
        (mine[0], "guest.changed", {"name": ("web", "web-1")}), (mine[2], "guest.reboot.requested", {}),
        (mine[3], "guest.shutdown.requested", {}), (mine[8], "guest.suspended", {"reason": (None, "payment")}),
    ):  # fmt: skip
        audit_record(
            actor=staff if "suspend" in action else customer, action=action, object_type="guest", object_id=guest.pk,
            object_label=guest.name, customer_id=guest.customer_id, changes=changes,
        )  # fmt: skip
    audit_record(
        actor=staff, action="host.edited", object_type="host", object_id=hosts[0].pk, object_label=hosts[0].name,
        changes={"cpu_overcommit": ("2.0", "4.0")},
    )  # fmt: skip
    audit_record(actor=customer, action="user.login", outcome="refused", object_type="user", object_label="root@x")
