"""What an admin sets on hosts and pools: names, labels, over-commit, maintenance."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from hosts.models import Host, StoragePool
from hosts.services.enrolment import limits_recompute, pool_limit
from hosts.services.jobs import host_job
from hosts.states import HostState
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.holding import active_job_of
from panel.core.models import Job
from panel.core.permissions import Permission

EDITABLE = frozenset({"name", "location", "labels", "cpu_overcommit", "memory_overcommit", "memory_reserve_mib"})


@transaction.atomic
def host_edit(*, actor: Actor, host: Host, changes: Mapping[str, Any]) -> Host:
    """Change what an admin may set (``EDITABLE``) and recompute what may be sold.

    A limit never falls below what is sold already: then nothing more is sold until enough is given back.

    Raises:
        InvalidInputError: the name is another host's.
    """
    actor.require(Permission.FLEET_MANAGE)
    host = Host.objects.select_for_update().get(pk=host.pk)
    before = {name: getattr(host, name) for name in changes if name in EDITABLE}
    for name in before:
        setattr(host, name, changes[name])
    limits_recompute(host)
    try:
        with transaction.atomic():
            host.save(update_fields=[*before, "limit_vcpus", "limit_memory_mib"])
    except IntegrityError as error:
        raise InvalidInputError(fields={"name": "Another host has this name."}) from error
    return _recorded(actor, host, "host.edited", {name: (old, getattr(host, name)) for name, old in before.items()})


@transaction.atomic
def host_maintenance_enter(*, actor: Actor, host: Host) -> Host:
    """Take no new guests; those on the host run on. Success when it is so already.

    Raises:
        InvalidStateError: the host is not in service.
    """
    return _move(actor, host, HostState.MAINTENANCE, allowed=HostState.ACTIVE, action="host.maintenance-entered")


@transaction.atomic
def host_maintenance_leave(*, actor: Actor, host: Host) -> Host:
    """Take new guests again. Success when it is so already.

    Raises:
        InvalidStateError: the host is not in maintenance.
    """
    return _move(actor, host, HostState.ACTIVE, allowed=HostState.MAINTENANCE, action="host.maintenance-left")


def _move(actor: Actor, host: Host, target: HostState, *, allowed: HostState, action: str) -> Host:
    actor.require(Permission.FLEET_MANAGE)
    host = Host.objects.select_for_update().get(pk=host.pk)
    if host.state == target:
        return host
    if host.state != allowed:
        label = HostState(host.state).words
        raise InvalidStateError(
            f"This cannot be done while the host is {label}.", current=host.state, allowed_from=[str(allowed)]
        )
    before, host.state = host.state, target
    host.save(update_fields=["state"])
    return _recorded(actor, host, action, {"state": (before, str(target))})


@transaction.atomic
def host_check(*, actor: Actor, host: Host) -> Job:
    """Let a job look at the host: facts, capabilities, pools. Returns the one at work when there is one.

    Raises:
        InvalidStateError: the host was retired, or its job ended this very moment.
    """
    actor.require(Permission.FLEET_MANAGE)
    if host.state == HostState.RETIRED:
        raise InvalidStateError("The host is retired.", current=host.state)
    job = host_job(actor=actor, host=host, action="host.check")
    if job is not None:
        audit_record(
            actor=actor, action="host.check", object_type="host", object_id=host.pk, object_label=host.name
        )  # fmt: skip
        return job
    job = active_job_of("host", host.pk)
    if job is None:
        raise InvalidStateError("The host's last job has just ended. Try again.", current=host.state)
    return job


@transaction.atomic
def pool_edit(*, actor: Actor, pool: StoragePool, overcommit: Decimal) -> StoragePool:
    """Set a pool's over-commit and recompute what may be sold of it; never below what is sold."""
    actor.require(Permission.FLEET_MANAGE)
    pool = StoragePool.objects.select_for_update().get(pk=pool.pk)
    before, pool.overcommit = pool.overcommit, overcommit
    pool.limit_gib = pool_limit(pool)
    pool.save(update_fields=["overcommit", "limit_gib"])
    audit_record(
        actor=actor,
        action="pool.edited",
        object_type="pool",
        object_id=pool.pk,
        object_label=pool.name,
        changes={"overcommit": (str(before), str(overcommit))},
    )
    events.publish("host", pool.host_id)
    pool.refresh_from_db()
    return pool


def _recorded(actor: Actor, host: Host, action: str, changes: Mapping[str, tuple[Any, Any]]) -> Host:
    audit_record(
        actor=actor, action=action, object_type="host", object_id=host.pk, object_label=host.name, changes=changes
    )
    events.publish("host", host.pk)
    host.refresh_from_db()
    return host
