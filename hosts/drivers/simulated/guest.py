"""What the operating system inside a simulated guest does: it boots, prints, and may act by itself."""

import base64
import hashlib
import time
from uuid import UUID

from hosts.drivers.simulated.state import DomainRecord
from hosts.drivers.types import DomainUsage, HostType
from panel.core.units import KIB

KEY_TYPES = ("ssh-ed25519", "ssh-rsa")
CONSOLE_LIMIT_BYTES = 256 * 1024  # older output is dropped


def host_key_fingerprint(domain: UUID, key_type: str) -> str:
    """Return the fingerprint the guest of this id always prints for a type of key: ``SHA256:…``."""
    digest = hashlib.sha256(f"{domain} {key_type}".encode()).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def boot(record: DomainRecord, *, boot_s: float) -> None:
    """Begin a boot; ``boot_output`` appears when ``boot_s`` have passed."""
    record.starts += 1
    record.started_at = time.time()
    record.ready_at = record.started_at + boot_s


def boot_output(domain: UUID) -> bytes:
    """Return what a guest prints when it is up."""
    keys = [f"INNKEEPER-HOSTKEY {key_type} {host_key_fingerprint(domain, key_type)}\r\n" for key_type in KEY_TYPES]
    return "".join([*keys, "INNKEEPER-READY\r\n"]).encode("ascii")


def print_line(record: DomainRecord, text: bytes) -> None:
    """Let the guest print something on its console."""
    record.console = (record.console + text)[-CONSOLE_LIMIT_BYTES:]


def settle_console(record: DomainRecord) -> None:
    """Print the end of the boot once its time has come, if the guest lived to see it."""
    if record.ready_at and record.active and record.ready_at <= time.time() and record.spec is not None:
        record.ready_at = 0.0
        print_line(record, boot_output(record.spec.id))


def usage(domain: UUID, record: DomainRecord) -> DomainUsage:
    """Return the counters of a domain that is on. Each guest is busy in a measure of its own: 5 to 15 % of its vCPUs.

    Containers have no run-queue delay, as on real hosts.
    """
    spec = record.live_spec
    if spec is None:
        return DomainUsage()
    ran_s = max(0.0, time.time() - record.on_since)
    measure = 0.5 + domain.int % 101 / 100  # 1 on the average
    operations = int(ran_s * 12 * measure)
    return DomainUsage(
        cpu_time_ns=int(ran_s * 1e8 * spec.vcpus * measure),
        cpu_delay_ns=None if record.host_type is HostType.LXC else int(ran_s * 2e6 * spec.vcpus * measure),
        memory_used_mib=int(spec.memory_mib * (0.25 + measure / 4)),
        disk_read_bytes=operations * 16 * KIB,
        disk_write_bytes=operations * 24 * KIB,
        disk_read_ops=operations,
        disk_write_ops=operations * 2,
        net_received_bytes=int(ran_s * 20_000 * measure),
        net_sent_bytes=int(ran_s * 12_000 * measure),
    )
