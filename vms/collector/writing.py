"""What a hypervisor said, written down, and what follows from it."""

from hosts.services import observation as hosts_observation
from hosts.usage.recorder import HostUsage
from vms.collector.watcher import Answer
from vms.services import boot, observation, suspension


def write(answer: Answer) -> int:
    """Write one answer in a fixed number of queries, however many guests the host has. Returns how many changed.

    Older answers never replace newer ones: each write is guarded by ``asked_at``.
    """
    if answer.domains is None:
        return _write_silence(answer)
    host_id, host_type = answer.connection.host_id, answer.connection.host_type
    if answer.about is None:
        hosts_observation.host_seen(
            connection=answer.connection, at=answer.asked_at, boot_id=answer.boot_id, load=answer.load
        )
    observed = observation.observe_host(
        host_id=host_id,
        host_type=host_type,
        domains=answer.domains,
        asked_at=answer.asked_at,
        boot_id=answer.boot_id,
        about=answer.about,
    )
    if observed.suspended:
        suspension.suspensions_enforce([host_id])
    if observed.restarted and answer.about is None:
        boot.power_restore(host_id=host_id, host_type=host_type, boot_id=answer.boot_id)
    hosts_observation.pools_record(answer.pools)
    return observed.changed


def keep_usage(usage: HostUsage, answer: Answer) -> None:
    """Take samples from one full answer. Never fails: what cannot be kept is logged."""
    if answer.domains is None:
        usage.silent(at=answer.asked_at)
        return
    usage.domains_seen(at=answer.asked_at, domains=answer.domains)
    if answer.load is not None:
        usage.load_seen(at=answer.asked_at, load=answer.load)


def _write_silence(answer: Answer) -> int:
    connection = answer.connection
    hosts_observation.connection_silent(connection=connection, error=answer.error, at=answer.asked_at)
    return observation.host_silent(host_id=connection.host_id, host_type=connection.host_type, asked_at=answer.asked_at)
