"""Orders: a guest, and the subscription that pays for it, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from billing.models import Plan, Subscription
from billing.selectors import create_job_of
from billing.services.order_request import Resolved, errors_by_plan, order_digest, order_resolve
from billing.services.plans import plan_sell
from hosts.services.placement import Verdict
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ExternalIdConflictError, InvalidInputError, NotFoundError
from panel.core.models import Customer, Job
from panel.core.people.customers import customer_choose
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for, customer_list_for
from vms.models import Guest
from vms.services.guests import Feasibility, GuestCreated, guest_check, guest_create


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What an order gave. ``created`` False: the same order had been placed before, and nothing was done."""

    guest: Guest
    job: Job | None
    subscription: Subscription | None
    root_password: str | None
    created: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What an order would give. ``verdicts`` has each host's, the best first, for those who see hosts."""

    plan: Plan | None
    errors: dict[str, str]
    feasible: bool
    reason: str
    verdicts: tuple[Verdict, ...] = ()


# ── one's own order ─────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def guest_order(*, actor: Actor, order: Mapping[str, Any]) -> Ordered:
    """Order a guest. With a plan its customer gets a subscription; staff may give sizes and a host instead.

    Raises:
        InvalidInputError: with every field that cannot be accepted.
        NotFoundError, PermissionDeniedError: about the customer.
        QuotaExceededError, CapacityError, ConflictError: as ``guest_create``; nothing was taken.
    """
    customer = customer_choose(actor=actor, customer_id=order.get("customer"), permission=Permission.GUEST_CREATE)
    found = order_resolve(actor=actor, customer=customer, order=order)
    if found.errors and found.plan is not None and "image" in found.guest and "ssh_keys" in found.guest:
        found.errors = errors_by_plan(guest_check(actor=actor, **found.guest).errors) | found.errors
    found.refuse()
    if found.plan is None:
        made = guest_create(actor=actor, **found.guest)
        return Ordered(guest=made.guest, job=made.job, subscription=None, root_password=made.root_password)
    plan = plan_sell(found.plan)
    made = _create(actor, found)
    subscription = Subscription.objects.create(customer=customer, plan=plan, guest=made.guest)
    _announce(actor, subscription, "subscription.created", plan)
    return Ordered(guest=made.guest, job=made.job, subscription=subscription, root_password=made.root_password)


def guest_quote(*, actor: Actor, order: Mapping[str, Any], errors: Mapping[str, str]) -> Quote:
    """Say what ``guest_order`` would say, and change nothing.

    ``errors`` are those already found in ``order``, which may lack fields because of them.
    """
    customer = customer_choose(actor=actor, customer_id=order.get("customer"), permission=Permission.GUEST_CREATE)
    filled = {"name": "server", "host_type": "", "image": "", **order}
    found = order_resolve(actor=actor, customer=customer, order=filled)
    return _quote(actor, found, dict(errors), prefix="")


def _quote(actor: Actor, found: Resolved, errors: dict[str, str], *, prefix: str) -> Quote:
    errors = {f"{prefix}{name}": text for name, text in found.errors.items()} | errors
    complete = {"image", "vcpus", "memory_mib", "disk_gib", "ssh_keys"} <= set(found.guest)
    explain = actor.may(Permission.FLEET_VIEW)
    checked = Feasibility(errors={}, feasible=False, reason="")
    if complete:
        checked = guest_check(actor=actor, explain=explain, **found.guest)
    seen = errors_by_plan(checked.errors, prefix=prefix) if found.plan else dict(checked.errors)
    errors = seen | errors
    reason = next(iter(errors.values()), "") or checked.reason
    return Quote(
        plan=found.plan,
        errors=errors,
        feasible=checked.feasible and not errors,
        reason=reason,
        verdicts=checked.verdicts,
    )


def _create(actor: Actor, found: Resolved, *, prefix: str = "") -> GuestCreated:
    try:
        return guest_create(actor=actor, **found.guest)
    except InvalidInputError as error:
        raise InvalidInputError(fields=errors_by_plan(error.fields, prefix=prefix)) from error


# ── a billing system's order ────────────────────────────────────────────────────────────────────────
@transaction.atomic
def subscription_order(*, actor: Actor, order: Mapping[str, Any]) -> Ordered:
    """Order a subscription and its guest for a customer.

    With an ``external_id`` the same order again, also at the same moment, gives what the first one gave: the
    subscription's row comes first, and its unique constraint makes others wait for it.

    Raises:
        ExternalIdConflictError: this client has used the ``external_id`` for an order with another body.
        InvalidInputError: with every field that cannot be accepted, the guest's as ``guest.name``.
        QuotaExceededError, CapacityError: nothing was taken.
    """
    actor.require(Permission.SUBSCRIPTION_MANAGE)
    digest, external_id = order_digest(order), order.get("external_id")
    if external_id and (before := _placed(actor, external_id)):
        return _again(before, digest)
    customer = _customer(actor, order)
    found = _resolve(actor, customer, order)
    found.refuse()
    assert found.plan is not None  # noqa: S101 - refuse() raised otherwise
    plan = plan_sell(found.plan)
    try:
        with transaction.atomic():
            subscription = Subscription.objects.create(
                customer=customer,
                plan=plan,
                client_id=actor.client_id if external_id else None,
                external_id=external_id,
                order_hash=digest if external_id else "",
            )
    except IntegrityError:
        before = _placed(actor, external_id or "")
        if before is None:
            raise
        return _again(before, digest)
    made = _create(actor, found, prefix="guest.")
    subscription.guest = made.guest
    subscription.save(update_fields=["guest"])
    _announce(actor, subscription, "subscription.created", plan)
    return Ordered(guest=made.guest, job=made.job, subscription=subscription, root_password=made.root_password)


def subscription_quote(*, actor: Actor, order: Mapping[str, Any]) -> Quote:
    """Say what ``subscription_order`` would say, and change nothing."""
    actor.require(Permission.SUBSCRIPTION_MANAGE)
    external_id = order.get("external_id")
    if external_id and (before := _placed(actor, external_id)):
        return _quote_again(before, order_digest(order))
    try:
        customer = _customer(actor, order)
    except InvalidInputError as error:
        return Quote(plan=None, errors=dict(error.fields), feasible=False, reason=str(error))
    found = _resolve(actor, customer, order, prefix="")
    plan_errors = {"plan": found.errors.pop("plan")} if "plan" in found.errors else {}
    return _quote(actor, found, plan_errors, prefix="guest.")


def _placed(actor: Actor, external_id: str) -> Subscription | None:
    return (
        Subscription.objects.select_related("guest", "plan", "customer")
        .filter(client_id=actor.client_id, external_id=external_id)
        .first()
    )


def _again(subscription: Subscription, digest: str) -> Ordered:
    if subscription.order_hash != digest:
        raise ExternalIdConflictError(subscription_id=str(subscription.pk))
    assert subscription.guest is not None  # noqa: S101 - set in the transaction that made the row
    return Ordered(
        guest=subscription.guest,
        job=create_job_of(subscription.guest),
        subscription=subscription,
        root_password=None,
        created=False,
    )


def _quote_again(subscription: Subscription, digest: str) -> Quote:
    if subscription.order_hash != digest:
        used = "You have used this external_id for another order."
        return Quote(plan=None, errors={"external_id": used}, feasible=False, reason=used)
    placed = "You have placed this order: the same again gives the server you have."
    return Quote(plan=subscription.plan, errors={}, feasible=True, reason=placed)


def _customer(actor: Actor, order: Mapping[str, Any]) -> Customer:
    try:
        if "customer" in order:
            return customer_get_for(actor, order["customer"])
    except NotFoundError as error:
        raise InvalidInputError(fields={"customer": "There is no such customer."}) from error
    named = order["customer_external_id"]
    customer = customer_list_for(actor).filter(client_id=actor.client_id, external_id=named).first()
    if customer is None:
        raise InvalidInputError(fields={"customer_external_id": f"You have made no customer with the id {named}."})
    return customer


def _resolve(actor: Actor, customer: Customer, order: Mapping[str, Any], *, prefix: str = "guest.") -> Resolved:
    found = order_resolve(actor=actor, customer=customer, order={**order["guest"], "plan": order["plan"]})
    found.errors = {name if name == "plan" else f"{prefix}{name}": text for name, text in found.errors.items()}
    return found


def _announce(actor: Actor, subscription: Subscription, action: str, plan: Plan) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="subscription",
        object_id=subscription.pk,
        object_label=subscription.external_id or plan.slug,
        customer_id=subscription.customer_id,
        changes={"plan": (None, plan.slug), "guest": (None, str(subscription.guest_id))},
    )
    events.publish("subscription", subscription.pk, customer_id=subscription.customer_id)
