"""A simulated fleet in the database and in a simulated server, and a way to run its jobs in the test."""

import hashlib
import ipaddress
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.utils import timezone

from hosts.drivers.simulated import SimulatedAdmin, SimulatedServer
from hosts.drivers.types import Capability, HostType, PoolSpec, VolumeFormat, VolumeRef
from hosts.models import Host, HostConnection, HostImage, Image, ImageFile, Network, StoragePool
from hosts.registry import driver_of
from hosts.services.enrolment import SLOTS
from hosts.services.networks import network_create
from hosts.states import HostState, ImageState
from panel.core import tasks
from panel.core.actors import SYSTEM
from panel.core.jobs import job_claim
from panel.core.models import HostSlot, Job, JobStatus

IMAGE_BYTES = 1024 * 1024


@pytest.fixture(scope="session")
def simulated_server() -> Iterator[SimulatedServer]:
    """One simulated server for the whole run; hosts have names of their own."""
    with tempfile.TemporaryDirectory(prefix="ik-") as folder, SimulatedServer(Path(folder) / "s.sock") as server:
        yield server


@dataclass(frozen=True)
class HostSight:
    """What a host really has.

    Attributes:
        domains: state, and the memory it runs with or None, by id.
        volumes: names, in all pools; half-made ones too.
        remains: what is left of domains that are gone.
    """

    domains: dict[UUID, tuple[str, int | None]]
    volumes: set[str]
    remains: list[str]


def simulated_sight(admin: SimulatedAdmin, host: str) -> HostSight:
    """Look at a simulated host, past all drivers, and at nothing that is somebody else's."""
    state = admin.dump_host(host)
    others = [one.found for one in state.domains.values() if one.spec is None and one.found is not None]
    of_others = {disk.volume.name for spec in others for disk in spec.disks}
    return HostSight(
        domains={
            pk: (str(domain.state), domain.live_spec.memory_mib if domain.live_spec else None)
            for pk, domain in state.domains.items()
            if domain.spec is not None
        },
        volumes={name for directory in state.directories.values() for name in directory.volumes} - of_others,
        remains=sorted(f"{pk}: {left}" for pk, left in state.stray.items()),
    )


class Fleet:
    """Makes hosts, networks and images, known to the panel and to the simulated server alike."""

    def __init__(self, server: SimulatedServer, cache: Path) -> None:
        self.server, self.admin = server, server.admin()
        self._cache = cache

    def seen(self, host: Host) -> HostSight:
        """Return what a host really has."""
        return simulated_sight(self.admin, host.name)

    def host(self, *, missing: dict[Capability, str] | None = None, **fields) -> Host:
        """Make an active host with a KVM and an LXC hypervisor and a pool of 1,000 GiB."""
        name = fields.pop("name", f"sim-{uuid.uuid4().hex[:8]}")
        self.admin.make_host(name, missing=missing)
        values = {
            "state": HostState.ACTIVE,
            "cpus": 16,
            "memory_mib": 65536,
            "limit_vcpus": 64,
            "limit_memory_mib": 65536,
            "last_seen_at": timezone.now(),
        }
        host = Host.objects.create(name=name, **{**values, **fields})
        pool = StoragePool.objects.create(host=host, name=f"innkeeper-{name}", path=f"/pools/{name}", limit_gib=1000)
        for host_type in (HostType.KVM, HostType.LXC):
            connection = HostConnection.objects.create(
                host=host, host_type=host_type, driver="simulated", uri=self.server.uri(name)
            )
            driver = driver_of(connection)
            connection.capabilities = [
                {"capability": str(c.capability), "available": c.available, "reason": c.reason}
                for c in driver.facts().capabilities
            ]
            connection.save()
            driver.pool_ensure(PoolSpec(name=pool.name, path=pool.path))
        for kind, count in SLOTS.items():
            HostSlot.objects.bulk_create(HostSlot(host_id=host.pk, kind=kind, number=n) for n in range(count))
        return host

    def network(self, *hosts: Host, cidr_v4: str = "10.77.0.0/24", cidr_v6: str = "fd00:77::/64", **fields) -> Network:
        """Make a network that the hosts are on; the first address is its gateway."""
        return network_create(
            actor=SYSTEM,
            name=fields.pop("name", f"net-{uuid.uuid4().hex[:8]}"),
            kind="nat",
            bridge="ink0000",
            cidr_v4=cidr_v4,
            gateway_v4=_first(cidr_v4) if cidr_v4 else None,
            cidr_v6=cidr_v6,
            gateway_v6=_first(cidr_v6),
            dns_servers=["192.0.2.53"],
            hosts=hosts,
            **fields,
        )

    def image(self, *, slug: str = "micro", on: tuple[Host, ...] = (), **fields) -> Image:
        """Make a ready image with small files in the cache; ``on`` names the hosts that have it already."""
        values = {"name": slug.capitalize(), "os": slug, "boot": "kernel", "host_types": ["kvm", "lxc"]}
        image = Image.objects.create(slug=slug, state=ImageState.READY, min_disk_gib=1, **{**values, **fields})
        for role, form in (("kvm_disk", "qcow2"), ("kernel", "raw"), ("initrd", "raw"), ("lxc_root", "raw")):
            path = Path("images") / slug / f"{role}.{form}"
            content = f"{slug} {role} {uuid.uuid4()}".encode().ljust(IMAGE_BYTES, b"\0")
            (self._cache / path).parent.mkdir(parents=True, exist_ok=True)
            (self._cache / path).write_bytes(content)
            ImageFile.objects.create(
                image=image,
                role=role,
                path=str(path),
                format=form,
                sha256=hashlib.sha256(content).hexdigest(),
                size_bytes=len(content),
                capacity_bytes=len(content),
            )
        for host in on:
            self.put_image(image, host)
        return image

    def put_image(self, image: Image, host: Host) -> None:
        """Copy an image's files to a host."""
        for pool in host.pools.all():
            for file in image.files.all():
                for connection in host.connections.all():
                    driver_of(connection).volume_upload(
                        VolumeRef(pool.name, file.volume_name),
                        source=self._cache / file.path,
                        format=VolumeFormat(file.format),
                    )
                HostImage.objects.create(host=host, file=file, pool=pool)


def _first(cidr: str) -> str | None:
    return str(ipaddress.ip_network(cidr)[1]) if cidr else None


@pytest.fixture
def fleet(db: None, simulated_server: SimulatedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """An empty fleet; the image cache is a folder of the test."""
    monkeypatch.setattr(settings, "CACHE_DIR", tmp_path)
    return Fleet(simulated_server, tmp_path)


@pytest.fixture
def one_host(fleet: Fleet) -> Host:
    """A fleet of one host with a network and the image ``micro`` on it."""
    host = fleet.host()
    fleet.network(host)
    fleet.image(on=(host,))
    return host


def jobs_run(*, rounds: int = 20) -> list[Job]:
    """Run all jobs that can run, as a worker would, until none is left. Returns them as they ended."""
    ran: list[Job] = []
    for _ in range(rounds):
        Job.objects.filter(status=JobStatus.QUEUED, run_after__isnull=False).update(run_after=None)
        queued = list(Job.objects.filter(status=JobStatus.QUEUED).order_by("created_at"))
        claimed = [job for job in (job_claim(job.pk, worker="test") for job in queued) if job is not None]
        for job in claimed:
            tasks.run(job)
            ran.append(Job.objects.get(pk=job.pk))
        if not claimed:
            break
    return ran
