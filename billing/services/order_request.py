"""What an order names — plan, image, keys, host — looked up; every wrong field is collected."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from billing.models import Plan
from billing.selectors import plan_chosen
from hosts.selectors import hosts_named, image_chosen
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.models import Customer
from panel.core.permissions import Permission
from vms.services.keys import keys_resolve

SIZES = ("vcpus", "memory_mib", "disk_gib")
_PASSED_ON = ("name", "host_type", "user_data", "root_password", "want_password", "labels", "location")


@dataclass(slots=True)
class Resolved:
    """What could be looked up. ``guest`` are keywords of ``guest_create``; complete only without errors."""

    guest: dict[str, Any]
    plan: Plan | None = None
    errors: dict[str, str] = field(default_factory=dict)

    def refuse(self) -> None:
        """Raise InvalidInputError when a field is wrong."""
        if self.errors:
            raise InvalidInputError(fields=self.errors)


def order_resolve(*, actor: Actor, customer: Customer, order: Mapping[str, Any]) -> Resolved:
    """Look up everything an order names. Wrong fields are collected, not raised."""
    found = Resolved(guest={name: order[name] for name in _PASSED_ON if order.get(name) is not None})
    found.guest |= {"customer": customer, "external_id": order.get("external_id")}
    _plan_or_sizes(actor, order, found)
    _image(actor, order, found)
    _keys(customer, order, found)
    _host(actor, order, found)
    return found


def _plan_or_sizes(actor: Actor, order: Mapping[str, Any], found: Resolved) -> None:
    sizes = [name for name in SIZES if name in order]
    may_size = actor.may(Permission.GUEST_PLACE)
    if order.get("plan"):
        found.errors |= dict.fromkeys(sizes, "Give either a plan or sizes.")
        _plan(actor, order, found)
    elif not may_size:
        found.errors |= dict.fromkeys(sizes, "Only staff can order a size without a plan.")
        found.errors["plan"] = "Choose a plan."
    elif sizes:
        found.errors |= {name: "Give all three sizes." for name in SIZES if name not in sizes}
        found.guest |= {name: order[name] for name in sizes}
    else:
        found.errors["plan"] = "Choose a plan, or give vcpus, memory_mib and disk_gib."


def _plan(actor: Actor, order: Mapping[str, Any], found: Resolved) -> None:
    try:
        plan = plan_chosen(actor, order["plan"])
    except InvalidInputError as error:
        found.errors |= error.fields
        return
    found.plan = plan
    found.guest |= plan_sizes(plan, order["host_type"])
    if plan.archived_at is not None:
        found.errors["plan"] = f"The plan {plan.slug} is no longer sold."
    elif order["host_type"] not in plan.host_types:
        found.errors["host_type"] = f"The plan {plan.slug} is not for {order['host_type'].upper()}."


def plan_sizes(plan: Plan, host_type: str) -> dict[str, Any]:
    """Return the keywords of ``guest_create`` that a plan gives."""
    return {
        "plan_slug": plan.slug,
        **{name: getattr(plan, name) for name in (*SIZES, "bandwidth_mbit_per_s", "bandwidth_required")},
        "max_processes": plan.max_processes if host_type == "lxc" else 0,
    }


def _image(actor: Actor, order: Mapping[str, Any], found: Resolved) -> None:
    try:
        found.guest["image"] = image_chosen(actor, order["image"])
    except InvalidInputError as error:
        found.errors |= error.fields


def _keys(customer: Customer, order: Mapping[str, Any], found: Resolved) -> None:
    try:
        found.guest["ssh_keys"] = keys_resolve(customer=customer, items=order.get("ssh_keys", []))
    except InvalidInputError as error:
        found.errors |= error.fields


def _host(actor: Actor, order: Mapping[str, Any], found: Resolved) -> None:
    if not order.get("host"):
        return
    if not actor.may(Permission.GUEST_PLACE):
        found.errors["host"] = "Only staff can choose the host."
        return
    try:
        (found.guest["host"],) = hosts_named(actor, [order["host"]])
    except NotFoundError:
        found.errors["host"] = "There is no such host."


def order_digest(order: Mapping[str, Any]) -> str:
    """Return what tells two orders apart; keyed, because a password may be in it. What is not given is not in it."""
    text = json.dumps(_given(order), sort_keys=True, default=str)
    return hmac.new(settings.TOKEN_PEPPER.encode(), text.encode(), hashlib.sha256).hexdigest()


def _given(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _given(item) for key, item in value.items() if item not in (None, "", [], {})}
    return value


def errors_by_plan(errors: Mapping[str, str], *, prefix: str = "") -> dict[str, str]:
    """Return a guest's field errors as the caller of an order by plan knows the fields: sizes are the plan's."""
    return {("plan" if name in SIZES else f"{prefix}{name}"): message for name, message in errors.items()}
