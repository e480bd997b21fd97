"""The driver for simulated hosts: the contract's methods as requests to the simulated server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from hosts.drivers.base import EventHandler, HypervisorDriver, Progress, quiet
from hosts.drivers.descriptions import ConfigurationChange, DomainDescription, FileUse
from hosts.drivers.simulated.connection import ServerConnection
from hosts.drivers.simulated.listening import READER, Stream
from hosts.drivers.simulated.wire import decode, encode
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
)
from panel.core.errors import InvalidInputError

QCOW2_MAGIC = b"QFI\xfb"
BLOCK_BYTES = 512  # of st_blocks, whatever the file system


class SimulatedDriver(HypervisorDriver):
    """One type of one simulated host, named by ``simulated:///HOSTNAME?socket=PATH``.

    Connects at the first call. Raises: InvalidInputError for a URI of another shape.
    """

    def __init__(self, host_type: HostType, uri: str) -> None:
        self.host_type = host_type
        self._host, socket_path = parse_uri(uri)
        self._connection = ServerConnection(socket_path)
        self._handler: EventHandler | None = None
        self._stream: Stream | None = None

    def _call(self, kind: Any, call: str, /, **arguments: Any) -> Any:
        """Make a request; the result is a ``kind``."""
        self._keep_listening()
        result = self._connection.request(
            {"host": self._host, "type": self.host_type.value, "call": call, "args": encode(arguments)}
        )
        return decode(kind, result)

    def facts(self) -> HostFacts:
        """See the contract."""
        facts: HostFacts = self._call(HostFacts, "facts")
        return facts

    def boot_id(self) -> str:
        """See the contract."""
        boot_id: str = self._call(str, "boot_id")
        return boot_id

    def load(self) -> HostLoad:
        """See the contract."""
        load: HostLoad = self._call(HostLoad, "load")
        return load

    def listen(self, handler: EventHandler) -> None:
        """See the contract. The events have a socket of their own."""
        self._handler = handler
        self._keep_listening()

    def _keep_listening(self) -> None:
        if self._handler is None or (self._stream is not None and not self._stream.ended):
            return
        if self._stream is not None:
            self._connection.discard(self._stream.sock)
        request: dict[str, Any] = {"host": self._host, "type": self.host_type.value, "call": "listen", "args": {}}
        self._stream = Stream(self._connection.stream(request), self._handler)
        READER.add(self._stream)

    def close(self) -> None:
        """See the contract."""
        self._connection.close()

    def pool_ensure(self, pool: PoolSpec) -> PoolInfo:
        """See the contract. The path is only a name here."""
        info: PoolInfo = self._call(PoolInfo, "pool_ensure", pool=pool)
        return info

    def pool_info(self, pool: str) -> PoolInfo:
        """See the contract."""
        info: PoolInfo = self._call(PoolInfo, "pool_info", pool=pool)
        return info

    def pool_remove(self, pool: str) -> None:
        """See the contract."""
        self._call(None, "pool_remove", pool=pool)

    def volume_list(self, pool: str) -> list[VolumeInfo]:
        """See the contract."""
        volumes: list[VolumeInfo] = self._call(list[VolumeInfo], "volume_list", pool=pool)
        return volumes

    def volume_info(self, volume: VolumeRef) -> VolumeInfo:
        """See the contract."""
        info: VolumeInfo = self._call(VolumeInfo, "volume_info", volume=volume)
        return info

    def volume_create(
        self,
        volume: VolumeRef,
        *,
        format: VolumeFormat,
        capacity_bytes: int,
        backing: VolumeRef | None = None,
        backing_format: VolumeFormat | None = None,
    ) -> VolumeInfo:
        """See the contract."""
        info: VolumeInfo = self._call(
            VolumeInfo,
            "volume_create",
            volume=volume,
            format=format,
            capacity_bytes=capacity_bytes,
            backing=backing,
            backing_format=backing_format,
        )
        return info

    def volume_clone(
        self, volume: VolumeRef, *, source: VolumeRef, capacity_bytes: int, progress: Progress = quiet
    ) -> VolumeInfo:
        """See the contract."""
        info: VolumeInfo = self._call(
            VolumeInfo, "volume_clone", volume=volume, source=source, capacity_bytes=capacity_bytes
        )
        progress(info.allocation_bytes, info.allocation_bytes)
        return info

    def volume_upload(
        self, volume: VolumeRef, *, source: Path, format: VolumeFormat, progress: Progress = quiet
    ) -> VolumeInfo:
        """See the contract. Only the file's sizes are sent."""
        info: VolumeInfo = self._call(
            VolumeInfo,
            "volume_upload",
            volume=volume,
            format=format,
            capacity_bytes=capacity_of(source, format),
            allocation_bytes=source.stat().st_blocks * BLOCK_BYTES,
            origin=source.name,
        )
        progress(info.allocation_bytes, info.allocation_bytes)
        return info

    def volume_resize(self, volume: VolumeRef, *, capacity_bytes: int) -> None:
        """See the contract."""
        self._call(None, "volume_resize", volume=volume, capacity_bytes=capacity_bytes)

    def volume_delete(self, volume: VolumeRef) -> None:
        """See the contract."""
        self._call(None, "volume_delete", volume=volume)

    def seed_write(self, volume: VolumeRef, seed: SeedFiles) -> None:
        """See the contract. The files themselves are kept, no image of them is made."""
        self._call(None, "seed_write", volume=volume, seed=seed)

    def domain_define(self, spec: DomainSpec) -> None:
        """See the contract."""
        self._call(None, "domain_define", spec=spec)

    def domain_undefine(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_undefine", domain=domain)

    def domain_start(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_start", domain=domain)

    def domain_shutdown(self, domain: UUID, *, timeout_s: float) -> bool:
        """See the contract."""
        return bool(self._call(bool, "domain_shutdown", domain=domain, timeout_s=timeout_s))

    def domain_destroy(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_destroy", domain=domain)

    def domain_reboot(self, domain: UUID, *, timeout_s: float) -> bool:
        """See the contract."""
        return bool(self._call(bool, "domain_reboot", domain=domain, timeout_s=timeout_s))

    def domain_reset(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_reset", domain=domain)

    def domain_pause(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_pause", domain=domain)

    def domain_resume(self, domain: UUID) -> None:
        """See the contract."""
        self._call(None, "domain_resume", domain=domain)

    def domain_info(self, domain: UUID) -> DomainInfo:
        """See the contract."""
        info: DomainInfo = self._call(DomainInfo, "domain_info", domain=domain)
        return info

    def domain_list(self) -> list[DomainInfo]:
        """See the contract."""
        domains: list[DomainInfo] = self._call(list[DomainInfo], "domain_list")
        return domains

    def domain_describe(self, domain: UUID) -> DomainDescription:
        """See the contract."""
        found: DomainDescription = self._call(DomainDescription, "domain_describe", domain=domain)
        return found

    def domain_descriptions(self) -> list[DomainDescription]:
        """See the contract."""
        found: list[DomainDescription] = self._call(list[DomainDescription], "domain_descriptions")
        return found

    def file_uses(self, *, pools: Sequence[str], files: Sequence[str]) -> list[FileUse]:
        """See the contract; files have one name here."""
        found: list[FileUse] = self._call(list[FileUse], "file_uses", pools=list(pools))
        return found

    def domain_configuration(self, domain: UUID) -> str:
        """See the contract."""
        return str(self._call(str, "domain_configuration", domain=domain))

    def domain_take_over(self, spec: DomainSpec) -> None:
        """See the contract."""
        self._call(None, "domain_take_over", spec=spec)

    def domain_let_go(self, domain: UUID, *, configuration: str) -> None:
        """See the contract."""
        self._call(None, "domain_let_go", domain=domain, configuration=configuration)

    def domain_protect(self, domain: UUID) -> bool:
        """See the contract."""
        return bool(self._call(bool, "domain_protect", domain=domain))

    def domain_is_current(self, spec: DomainSpec) -> bool:
        """See the contract."""
        return bool(self._call(bool, "domain_is_current", spec=spec))

    def domain_changes(self, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
        """See the contract."""
        found: tuple[ConfigurationChange, ...] = self._call(
            tuple[ConfigurationChange, ...], "domain_changes", spec=spec
        )
        return found

    def console_output(self, domain: UUID, *, max_bytes: int = 65536) -> bytes:
        """See the contract."""
        output: bytes = self._call(bytes, "console_output", domain=domain, max_bytes=max_bytes)
        return output

    def leftovers(self, domain: UUID) -> Iterator[str]:
        """See the contract."""
        remains: list[str] = self._call(list[str], "leftovers", domain=domain)
        return iter(remains)


def make_uri(host: str, socket_path: Path | str) -> str:
    """Return the URI of a simulated host."""
    return f"simulated:///{host}?socket={socket_path}"


def parse_uri(uri: str) -> tuple[str, str]:
    """Return host name and socket path of a URI. Raises: InvalidInputError."""
    parts = urlsplit(uri)
    host = unquote(parts.path.removeprefix("/"))
    sockets = parse_qs(parts.query).get("socket", [])
    if parts.scheme != "simulated" or parts.netloc or not host or len(sockets) != 1:
        raise InvalidInputError(fields={"uri": "Write simulated:///HOSTNAME?socket=/PATH."})
    return host, sockets[0]


def capacity_of(source: Path, format: VolumeFormat) -> int:
    """Return the size a guest will see of an image file: qcow2 says it in its header, bytes 24 to 31."""
    if format is VolumeFormat.QCOW2:
        with source.open("rb") as file:
            header = file.read(32)
        if header.startswith(QCOW2_MAGIC) and len(header) == 32:
            return int.from_bytes(header[24:32], "big")
    return source.stat().st_size
