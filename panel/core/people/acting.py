"""Staff who act as a customer: what the customer's owner could do, nothing else, and audited."""

from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidStateError
from panel.core.models import Customer
from panel.core.permissions import Permission

ACT_FOR_KEY = "act_for_customer"  # in the session


@transaction.atomic
def acting_start(*, actor: Actor, session: SessionBase, customer: Customer) -> None:
    """From the next request of this browser on, be the customer's owner.

    Raises:
        PermissionDeniedError: the caller is not an administrator, or acts for a customer already.
    """
    actor.require(Permission.ACT_FOR_CUSTOMER)
    session[ACT_FOR_KEY] = str(customer.pk)
    _audit(actor, "customer.acting-started", customer)


@transaction.atomic
def acting_stop(*, actor: Actor, session: SessionBase) -> None:
    """Be oneself again.

    Raises:
        InvalidStateError: the caller does not act for anybody.
    """
    if actor.acting_for is None:
        raise InvalidStateError("You are not acting for a customer.")
    session.pop(ACT_FOR_KEY, None)
    _audit(actor, "customer.acting-stopped", Customer.objects.get(pk=UUID(str(actor.acting_for))))


def _audit(actor: Actor, action: str, customer: Customer) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="customer",
        object_id=customer.pk,
        object_label=customer.name,
        customer_id=customer.pk,
    )
