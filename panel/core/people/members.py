"""Who belongs to a customer, in which role. A customer that has an owner never loses the last one."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ConflictError, InvalidStateError, NotFoundError
from panel.core.models import Customer, CustomerRole, Membership, User
from panel.core.people.tokens import tokens_end_without_right
from panel.core.people.users import set_password_path, user_make
from panel.core.permissions import Permission


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """``set_password_path`` is set for somebody the panel did not know, and shown only now."""

    membership: Membership
    set_password_path: str | None


@transaction.atomic
def member_add(*, actor: Actor, customer: Customer, email: str, role: str, name: str = "") -> MemberAdded:
    """Give somebody a role at a customer; who is unknown becomes a user and gets a set-password link.

    An owner who gets the link could use it themselves: the account is this customer's until staff hand it over
    (``user_set_password_link``), and no other customer can be made to trust it. Of who is known already nothing
    is told and nothing changed.

    Raises:
        ConflictError: they belong to this customer already, or the account is another customer's.
    """
    actor.require(Permission.MEMBER_MANAGE, customer.pk)
    user = User.objects.select_for_update().filter(email__iexact=email.strip()).first()
    new = user is None
    if user is None:
        made_for = None if Permission.USER_MANAGE in actor.everywhere else customer
        user = user_make(email=email, name=name, made_for=made_for)
    elif user.made_for_id not in (None, customer.pk):
        raise ConflictError("Another customer made this person's account. Ask the hosting company to hand it over.")
    try:
        with transaction.atomic():
            membership = Membership.objects.create(user=user, customer=customer, role=role)
    except IntegrityError as error:
        raise ConflictError("This person belongs to the customer already.") from error
    membership.refresh_from_db()
    _announce(actor, "member.added", membership, {"role": (None, str(role)), "email": (None, user.email)})
    return MemberAdded(membership, set_password_path(user) if new else None)


@transaction.atomic
def member_set_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Change a member's role. Who may no longer have tokens loses theirs.

    Raises:
        InvalidStateError: they are the last owner.
        NotFoundError: they were removed meanwhile.
    """
    actor.require(Permission.MEMBER_MANAGE, membership.customer_id)
    _lock(membership)
    if role != CustomerRole.OWNER:
        _keep_an_owner(membership)
    before = membership.role
    membership.role = role
    membership.save(update_fields=["role"])
    tokens_end_without_right(actor=actor, user=membership.user)
    _announce(actor, "member.role-changed", membership, {"role": (before, str(role))})
    return membership


@transaction.atomic
def member_remove(*, actor: Actor, membership: Membership) -> None:
    """Take a member's access away at once, with their open pages and tokens.

    Raises:
        InvalidStateError: they are the last owner.
        NotFoundError: they were removed meanwhile.
    """
    actor.require(Permission.MEMBER_MANAGE, membership.customer_id)
    _lock(membership)
    _keep_an_owner(membership)
    membership_id = membership.pk
    membership.delete()
    membership.pk = membership_id
    tokens_end_without_right(actor=actor, user=membership.user)
    _announce(actor, "member.removed", membership, {"role": (membership.role, None)})


@transaction.atomic
def member_set_password_link(*, actor: Actor, membership: Membership) -> str:
    """Return a new set-password path for a member who never set a password.

    Owners may do this only for accounts that were made for them: a link is as good as a password.

    Raises:
        InvalidStateError: the member has a password, or the account is not this customer's.
    """
    actor.require(Permission.MEMBER_MANAGE, membership.customer_id)
    user = User.objects.select_for_update().get(pk=membership.user_id)
    theirs = user.made_for_id == membership.customer_id and not user.is_staff
    if user.has_usable_password() or not theirs or not user.is_active:
        raise InvalidStateError("This person has a password or is not only yours. Ask the hosting company for a link.")
    _announce(actor, "user.set-password-link-made", membership, {})
    return set_password_path(user)


def _lock(membership: Membership) -> None:
    """Let one change of a customer's members happen at a time, and read the member's role as it is by then."""
    Customer.objects.select_for_update().get(pk=membership.customer_id)
    try:
        membership.refresh_from_db(fields=["role"])
    except Membership.DoesNotExist as error:
        raise NotFoundError from error


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != CustomerRole.OWNER:
        return
    others = Membership.objects.filter(
        customer_id=membership.customer_id, role=CustomerRole.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise InvalidStateError("This is the customer's last owner. Make somebody else an owner first.")


def _announce(actor: Actor, action: str, membership: Membership, changes: dict[str, tuple[Any, Any]]) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="user",
        object_id=membership.user_id,
        object_label=membership.user.email,
        customer_id=membership.customer_id,
        changes=changes,
    )
    events.publish("customer", membership.customer_id, customer_id=membership.customer_id)
