"""Submitting jobs on hosts."""

from hosts.models import Host
from panel.core.actors import Actor
from panel.core.errors import ResourceBusyError
from panel.core.jobs import job_submit
from panel.core.models import Job


def host_job(*, actor: Actor, host: Host, action: str) -> Job | None:
    """Submit a job that holds the host; None when another one holds it already."""
    try:
        return job_submit(action=action, actor=actor, resources=[("host", host.pk)], host_id=host.pk)
    except ResourceBusyError:
        return None
