"""Plans: edited while nobody has them, archived and replaced afterwards."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from billing.models import Plan
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.permissions import Permission


@transaction.atomic
def plan_create(*, actor: Actor, **fields: Any) -> Plan:
    """Add a plan. ``fields`` are the model's.

    Raises:
        InvalidInputError: the slug is taken, or a bandwidth is required but not given.
    """
    actor.require(Permission.PLAN_MANAGE)
    plan = Plan(**fields)
    _check(plan)
    _save(plan, force_insert=True)
    shown = ("vcpus", "memory_mib", "disk_gib", "price_monthly", "price_hourly", "currency")
    return _recorded(actor, plan, "plan.created", {name: (None, str(fields[name])) for name in shown if name in fields})


@transaction.atomic
def plan_edit(*, actor: Actor, plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """Change a plan that nobody has ordered yet.

    Raises:
        InvalidStateError: it has been sold or archived.
        InvalidInputError: as for ``plan_create``.
    """
    actor.require(Permission.PLAN_MANAGE)
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.sold_at is not None:
        raise InvalidStateError("This plan has been sold. Archive it and add a new one.", current="sold")
    if plan.archived_at is not None:
        raise InvalidStateError("This plan is archived.", current="archived")
    before = {name: getattr(plan, name) for name in changes}
    for name, value in changes.items():
        setattr(plan, name, value)
    _check(plan)
    _save(plan)
    return _recorded(
        actor, plan, "plan.edited", {name: (str(old), str(changes[name])) for name, old in before.items()}
    )  # fmt: skip


@transaction.atomic
def plan_archive(*, actor: Actor, plan: Plan) -> Plan:
    """Sell it no longer; whoever has it keeps it. Success when it is so already."""
    actor.require(Permission.PLAN_MANAGE)
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.archived_at is not None:
        return plan
    Plan.objects.filter(pk=plan.pk).update(archived_at=Now())
    return _recorded(actor, plan, "plan.archived", {"archived": (False, True)})


def plan_sell(plan: Plan) -> Plan:
    """Return the plan as it can be ordered now, its numbers fixed from here on. Runs in the order's transaction.

    Raises:
        InvalidInputError: it is archived.
    """
    if plan.sold_at is None:  # a sold plan does not change any more, so only the first sale waits for an edit
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.archived_at is not None:
        raise InvalidInputError(fields={"plan": f"The plan {plan.slug} is no longer sold."})
    if plan.sold_at is None:
        Plan.objects.filter(pk=plan.pk).update(sold_at=Now())
    return plan


def _check(plan: Plan) -> None:
    if plan.bandwidth_required and not plan.bandwidth_mbit_per_s:
        raise InvalidInputError(fields={"bandwidth_required": "Say how many Mbit/s are required."})


def _save(plan: Plan, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            plan.save(force_insert=force_insert)
    except IntegrityError as error:
        raise InvalidInputError(fields={"slug": "Another plan has this slug."}) from error


def _recorded(actor: Actor, plan: Plan, action: str, changes: Mapping[str, tuple[Any, Any]]) -> Plan:
    audit_record(
        actor=actor, action=action, object_type="plan", object_id=plan.pk, object_label=plan.slug, changes=changes
    )
    events.publish("plan", plan.pk)
    plan.refresh_from_db()
    return plan
