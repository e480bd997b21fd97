"""What is measured of guests and of hosts, and how two readings of counters become rates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hosts.drivers.types import DomainUsage, HostLoad

UNKNOWN = -1  # in a reading: the hypervisor does not say
Values = tuple[float | None, ...]
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing that is measured. ``reading`` names the numbers of a reading, ``series`` what becomes of them.

    ``rates(before, after, seconds)`` returns one value a series, each None where it is not known; or None when the
    counters began anew in between.
    """

    name: str
    reading: tuple[str, ...]
    series: tuple[str, ...]
    rates: Callable[[Sequence[int], Sequence[int], float], Values | None]

    def table(self, resolution_name: str) -> str:
        """Return the table of one resolution."""
        return f"usage_{self.name}_{resolution_name}"


def guest_reading(usage: DomainUsage, *, vcpus: int) -> list[int]:
    """Return the numbers of ``GUEST.reading`` from what a listing says of one running domain."""
    numbers = (
        usage.cpu_time_ns, usage.cpu_delay_ns, usage.disk_read_bytes, usage.disk_write_bytes, usage.disk_read_ops,
        usage.disk_write_ops, usage.net_received_bytes, usage.net_sent_bytes, usage.memory_used_mib, vcpus,
    )  # fmt: skip
    return [UNKNOWN if number is None else number for number in numbers]


def _guest_rates(before: Sequence[int], after: Sequence[int], seconds: float) -> Values | None:
    """CPU time and delay are shares of all the guest's vCPUs; the rest is a second's worth."""
    rates: list[float | None] = []
    for was, now in zip(before[:8], after[:8], strict=True):
        if was < 0 or now < 0:
            rates.append(None)
        elif now < was:
            return None
        else:
            rates.append((now - was) / seconds)
    memory_used_mib, vcpus = after[8], after[9]
    if vcpus > 0:
        full = vcpus * _NS / 100
        cpu = None if rates[0] is None else rates[0] / full
        delay = None if rates[1] is None else rates[1] / full
    else:
        cpu = delay = None
    return (cpu, delay, None if memory_used_mib < 0 else float(memory_used_mib), *rates[2:])


def host_reading(load: HostLoad, *, delay_ns: int, delay_vcpu_ns: int) -> list[int]:
    """Return the numbers of ``HOST.reading``.

    Args:
        load: the host's own counters.
        delay_ns: how long vCPUs of its guests were ready and waited for a processor, added up since some moment.
        delay_vcpu_ns: how long they could have run meanwhile: time × number of vCPUs. 0: no guest says.
    """
    return [load.cpu_busy_ns, load.cpu_total_ns, delay_ns, delay_vcpu_ns, load.memory_used_mib]


def _host_rates(before: Sequence[int], after: Sequence[int], seconds: float) -> Values | None:
    busy, total, delay, vcpu_time = (now - was for was, now in zip(before[:4], after[:4], strict=True))
    if min(busy, total) < 0 or total == 0:
        return None
    waited = 100 * delay / vcpu_time if vcpu_time > 0 and delay >= 0 else None
    return (100 * busy / total, waited, float(after[4]))


GUEST = Kind(
    name="guest",
    reading=(
        "cpu_time_ns", "cpu_delay_ns", "disk_read_bytes", "disk_write_bytes", "disk_read_ops", "disk_write_ops",
        "net_received_bytes", "net_sent_bytes", "memory_used_mib", "vcpus",
    ),
    series=(
        "cpu_percent", "cpu_delay_percent", "memory_used_mib", "disk_read_bytes_per_s", "disk_write_bytes_per_s",
        "disk_read_ops_per_s", "disk_write_ops_per_s", "net_received_bytes_per_s", "net_sent_bytes_per_s",
    ),
    rates=_guest_rates,
)  # fmt: skip
HOST = Kind(
    name="host",
    reading=("cpu_busy_ns", "cpu_total_ns", "delay_ns", "delay_vcpu_ns", "memory_used_mib"),
    series=("cpu_percent", "cpu_delay_percent", "memory_used_mib"),
    rates=_host_rates,
)
KINDS = (GUEST, HOST)
