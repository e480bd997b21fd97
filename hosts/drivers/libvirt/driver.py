"""The hypervisor driver for libvirt: one connection, one profile; the work is in the modules beside it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from hosts.drivers.base import EventHandler, HypervisorDriver, Progress, quiet
from hosts.drivers.descriptions import ConfigurationChange, DomainDescription, FileUse
from hosts.drivers.libvirt import adoption, console, describe, domains, events, facts, file_uses, pools, states, volumes
from hosts.drivers.libvirt.connection import Connection
from hosts.drivers.libvirt.profiles import PROFILES
from hosts.drivers.seed_media import seed_ext4, seed_iso
from hosts.drivers.types import (
    DomainInfo,
    DomainSpec,
    HostFacts,
    HostLoad,
    HostType,
    PoolInfo,
    PoolSpec,
    SeedFiles,
    VolumeFormat,
    VolumeInfo,
    VolumeRef,
    domain_name,
)
from panel.core.errors import DriverError
from panel.core.units import MIB


class LibvirtDriver(HypervisorDriver):
    """KVM, Xen or LXC on one host, through libvirt's (remote) API alone.

    May be made before a fork and by any thread; it connects at the first call, and again after a cut.
    """

    def __init__(self, host_type: HostType, uri: str) -> None:
        self.host_type = host_type
        self._profile = PROFILES[host_type]
        self._connection = Connection(uri)

    def facts(self) -> HostFacts:
        with self._connection.use() as session:
            return facts.facts(session, self._profile)

    def boot_id(self) -> str:
        with self._connection.use() as session:
            return facts.boot_id(session, self._profile)

    def load(self) -> HostLoad:
        with self._connection.use() as session:
            return facts.load(session)

    def listen(self, handler: EventHandler) -> None:
        self._connection.on_open = partial(events.listen, handler=handler)
        with self._connection.use():
            return

    def close(self) -> None:
        self._connection.close()

    def pool_ensure(self, pool: PoolSpec) -> PoolInfo:
        with self._connection.use() as session:
            return pools.ensure(session, pool)

    def pool_info(self, pool: str) -> PoolInfo:
        with self._connection.use() as session:
            return pools.info(session, pool)

    def pool_remove(self, pool: str) -> None:
        with self._connection.use() as session:
            pools.remove(session, pool)

    def volume_list(self, pool: str) -> list[VolumeInfo]:
        with self._connection.use() as session:
            return volumes.listing(session, pool)

    def volume_info(self, volume: VolumeRef) -> VolumeInfo:
        with self._connection.use() as session:
            return volumes.info(session, volume)

    def volume_create(
        self,
        volume: VolumeRef,
        *,
        format: VolumeFormat,
        capacity_bytes: int,
        backing: VolumeRef | None = None,
        backing_format: VolumeFormat | None = None,
    ) -> VolumeInfo:
        with self._connection.use() as session:
            return volumes.create(
                session,
                volume,
                format=format,
                capacity_bytes=capacity_bytes,
                backing=backing,
                backing_format=backing_format,
            )

    def volume_clone(
        self, volume: VolumeRef, *, source: VolumeRef, capacity_bytes: int, progress: Progress = quiet
    ) -> VolumeInfo:
        with self._connection.use() as session:
            return volumes.clone(session, volume, source=source, capacity_bytes=capacity_bytes, progress=progress)

    def volume_upload(
        self, volume: VolumeRef, *, source: Path, format: VolumeFormat, progress: Progress = quiet
    ) -> VolumeInfo:
        with self._connection.use() as session:
            return volumes.upload(session, volume, source=source, format=format, progress=progress)

    def volume_resize(self, volume: VolumeRef, *, capacity_bytes: int) -> None:
        with self._connection.use() as session:
            volumes.resize(session, volume, capacity_bytes=capacity_bytes)

    def volume_delete(self, volume: VolumeRef) -> None:
        with self._connection.use() as session:
            volumes.delete(session, volume)

    def seed_write(self, volume: VolumeRef, seed: SeedFiles) -> None:
        content = seed_ext4(seed) if self.host_type is HostType.LXC else seed_iso(seed)
        with self._connection.use() as session:
            volumes.overwrite(session, volume, content=content, block_bytes=MIB)

    def domain_define(self, spec: DomainSpec) -> None:
        if spec.host_type is not self.host_type:
            raise DriverError("The server is not of this host's type.", detail=str(spec.host_type))
        with self._connection.use() as session:
            domains.define(session, self._profile, spec)

    def domain_undefine(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.undefine(session, self._profile, domain)

    def domain_start(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.start(session, self._profile, domain)

    def domain_shutdown(self, domain: UUID, *, timeout_s: float) -> bool:
        with self._connection.use() as session:
            return domains.shutdown(session, self._profile, domain, timeout_s=timeout_s)

    def domain_destroy(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.destroy(session, domain)

    def domain_reboot(self, domain: UUID, *, timeout_s: float) -> bool:
        with self._connection.use() as session:
            return domains.reboot(session, self._profile, domain, timeout_s=timeout_s)

    def domain_reset(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.destroy(session, domain)
            domains.start(session, self._profile, domain)

    def domain_pause(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.pause(session, domain)

    def domain_resume(self, domain: UUID) -> None:
        with self._connection.use() as session:
            domains.resume(session, domain)

    def domain_info(self, domain: UUID) -> DomainInfo:
        with self._connection.use() as session:
            return states.one(domains.find(session, domain))

    def domain_list(self) -> list[DomainInfo]:
        with self._connection.use() as session:
            return domains.listing(session, self._profile)

    def domain_describe(self, domain: UUID) -> DomainDescription:
        with self._connection.use() as session:
            return describe.described(session, self._profile, [domains.find(session, domain)])[0]

    def domain_descriptions(self) -> list[DomainDescription]:
        with self._connection.use() as session:
            return describe.described(session, self._profile, session.conn.listAllDomains())

    def file_uses(self, *, pools: Sequence[str], files: Sequence[str]) -> list[FileUse]:
        with self._connection.use() as session:
            found = describe.described(session, self._profile, session.conn.listAllDomains())
            return file_uses.uses(session, self._profile, found, pools=pools, files=files)

    def domain_configuration(self, domain: UUID) -> str:
        with self._connection.use() as session:
            return adoption.configuration(domains.find(session, domain))

    def domain_take_over(self, spec: DomainSpec) -> None:
        with self._connection.use() as session:
            adoption.take_over(session, self._profile, domains.find(session, spec.id), spec)

    def domain_let_go(self, domain: UUID, *, configuration: str) -> None:
        with self._connection.use() as session:
            found = domains.find(session, domain)
            adoption.let_go(session, self._profile, found, domain, configuration=configuration)

    def domain_protect(self, domain: UUID) -> bool:
        with self._connection.use() as session:
            return adoption.protect(session, self._profile, domains.find(session, domain), domain)

    def domain_is_current(self, spec: DomainSpec) -> bool:
        with self._connection.use() as session:
            return not domains.changes(session, spec)

    def domain_changes(self, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
        with self._connection.use() as session:
            return domains.changes(session, spec)

    def console_output(self, domain: UUID, *, max_bytes: int = 65536) -> bytes:
        with self._connection.use() as session:
            domains.find(session, domain)
            return console.output(session, domain_name(domain), max_bytes=max_bytes)

    def leftovers(self, domain: UUID) -> Iterator[str]:
        with self._connection.use() as session:
            yield from list(domains.leftovers(session, self._profile, domain))
