"""Customers: made by staff or a billing system, deleted only when nothing of theirs is left."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ExternalIdConflictError, InvalidInputError, InvalidStateError
from panel.core.models import Customer, Job, User
from panel.core.models.jobs import ACTIVE
from panel.core.people.tokens import tokens_end_without_right
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for

QUOTAS = ("guests", "vcpus", "memory_mib", "disk_gib", "addresses")
_LIMITED = (*(f"quota_{name}" for name in QUOTAS), "external_id")  # fields an owner may not change


@dataclass(frozen=True, slots=True)
class CustomerCreated:
    """``created`` False: the same caller had made it before, with the same content."""

    customer: Customer
    created: bool


@transaction.atomic
def customer_create(
    *, actor: Actor, name: str, email: str = "", external_id: str | None = None, quota: dict[str, int | None]
) -> CustomerCreated:
    """Make a customer. Repeating it with the same ``external_id`` and content gives the same one again.

    ``quota`` maps names of QUOTAS to limits; None and absent are unlimited.

    Raises:
        ExternalIdConflictError: the caller has a customer with this ``external_id`` and other content.
    """
    actor.require(Permission.CUSTOMER_CREATE)
    fields = {"name": name, "email": email, **{f"quota_{key}": value for key, value in quota.items()}}
    try:
        with transaction.atomic():
            customer = Customer.objects.create(external_id=external_id, client_id=actor.client_id, **fields)
    except IntegrityError as error:
        customer = Customer.objects.get(client_id=actor.client_id, external_id=external_id, deleted_at__isnull=True)
        if any(getattr(customer, key) != value for key, value in fields.items()):
            raise ExternalIdConflictError(
                "A customer with this external_id exists already.", customer_id=str(customer.pk)
            ) from error
        return CustomerCreated(customer, created=False)
    customer.refresh_from_db()
    given = {key: (None, value) for key, value in {**fields, "external_id": external_id}.items()}
    _announce(actor, "customer.created", customer, given)
    return CustomerCreated(customer, created=True)


@transaction.atomic
def customer_update(*, actor: Actor, customer: Customer, changes: dict[str, Any]) -> Customer:
    """Change ``name``, ``email`` and, for whoever may make customers, ``external_id`` and ``quota_…``.

    A quota below what is in use stops new servers and takes none away. An integration that gives an
    ``external_id`` finds the customer by it from then on; one that a person gives is the id of the same
    integration as before.

    Raises:
        InvalidInputError: an owner named a field that only the hosting company changes.
        ExternalIdConflictError: another customer of the same caller has this ``external_id``.
    """
    actor.require(Permission.CUSTOMER_EDIT, customer.pk)
    if not actor.may(Permission.CUSTOMER_CREATE) and (kept := [name for name in changes if name in _LIMITED]):
        shown = [name.replace("quota_", "quota.") for name in kept]
        raise InvalidInputError(fields=dict.fromkeys(shown, "Only the hosting company can change this."))
    if changes.get("external_id") is not None and (actor.client_role or customer.client_id is None):
        changes = {**changes, "client_id": actor.client_id}
    before = {name: getattr(customer, name) for name in changes}
    for name, value in changes.items():
        setattr(customer, name, value)
    try:
        with transaction.atomic():
            customer.save(update_fields=list(changes))
    except IntegrityError as error:
        raise ExternalIdConflictError("Another customer has this external_id.") from error
    customer.refresh_from_db()
    _announce(actor, "customer.changed", customer, {name: (before[name], value) for name, value in changes.items()})
    return customer


@transaction.atomic
def customer_delete(*, actor: Actor, customer: Customer) -> None:
    """Delete a customer who has no servers: members lose access, keys go, the external id is free again.

    The row stays, unseen and with its external id, because jobs, usage and contracts name it. A quota of no
    servers makes the database refuse a creation that began before.

    Raises:
        InvalidStateError: there are servers or running jobs, or it is the house's own customer.
    """
    actor.require(Permission.CUSTOMER_DELETE, customer.pk)
    locked = Customer.objects.select_for_update().get(pk=customer.pk)
    if locked.is_house:
        raise InvalidStateError("The house's own customer is part of the panel and stays.")
    if locked.used_guests:
        raise InvalidStateError(
            f"{locked.name} still has servers ({locked.used_guests}). Delete them first.", guests=locked.used_guests
        )
    if Job.objects.filter(customer=locked, status__in=ACTIVE).exists():
        raise InvalidStateError("A job of this customer is still running. Try again when it has ended.")
    members = list(User.objects.filter(memberships__customer=locked))
    locked.memberships.all().delete()
    for user in members:
        tokens_end_without_right(actor=actor, user=user)
    locked.ssh_keys.all().delete()
    Customer.objects.filter(pk=locked.pk).update(deleted_at=Now(), quota_guests=0, quota_vcpus=0, email="")
    _announce(actor, "customer.deleted", locked, {})


def customer_choose(
    *, actor: Actor, customer_id: UUID | None, permission: Permission, field: str = "customer"
) -> Customer:
    """Return whose thing is being made: the one named, else the caller's only one, else (staff) the house.

    Raises:
        NotFoundError, PermissionDeniedError: as for every access to a customer.
        InvalidInputError: several would do and none was named.
    """
    if customer_id is None:
        customer_id = _only_one(actor, permission, field)
    customer = customer_get_for(actor, customer_id)
    actor.require(permission, customer.pk)
    return customer


def _only_one(actor: Actor, permission: Permission, field: str) -> UUID:
    if permission in actor.everywhere:
        house = Customer.objects.filter(is_house=True).values_list("pk", flat=True).first()
        if house is None:
            raise InvalidInputError(fields={field: "Say for which customer."})
        return house
    if len(actor.roles) == 1:
        return next(iter(actor.roles))
    allowed = [customer for customer in actor.roles if actor.may(permission, customer)]
    if len(allowed) != 1:
        raise InvalidInputError(fields={field: "You belong to several customers: say for which."})
    return allowed[0]


@transaction.atomic
def house_ensure() -> Customer:
    """Return the house's own customer (its servers are the hosting company's), made when there is none."""
    house, _ = Customer.objects.get_or_create(is_house=True, defaults={"name": "House"})
    return house


def _announce(actor: Actor, action: str, customer: Customer, changes: dict[str, tuple[Any, Any]]) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="customer",
        object_id=customer.pk,
        object_label=customer.name,
        customer_id=customer.pk,
        changes=changes,
    )
    events.publish("customer", customer.pk, customer_id=customer.pk)
