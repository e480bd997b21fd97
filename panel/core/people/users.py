"""People who can sign in: made by staff or by an owner of a customer, never by self-service."""

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.db import IntegrityError, transaction
from django.urls import reverse

from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ConflictError, InvalidStateError, PermissionDeniedError
from panel.core.models import Customer, StaffRole, User
from panel.core.people.tokens import tokens_end, tokens_end_without_right
from panel.core.permissions import Permission

THEMES = ("auto", "light", "dark")


def set_password_path(user: User) -> str:
    """Return the path of a page on which ``user`` sets a password.

    It works once (setting a password or signing in ends it) and for PASSWORD_RESET_TIMEOUT (24 h). It is a
    credential: shown to whoever hands it over, once, and stored nowhere.
    """
    return reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )


def user_make(*, email: str, name: str, staff_role: str = StaffRole.NONE, made_for: Customer | None = None) -> User:
    """Insert a user without a password, in the caller's transaction. See ``User.made_for``.

    Raises:
        ConflictError: somebody has this address already.
    """
    user = User(email=email.strip().lower(), name=name, staff_role=staff_role, made_for=made_for)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise ConflictError("A user with this e-mail address exists already.") from error
    user.refresh_from_db()
    return user


@transaction.atomic
def user_create(*, actor: Actor, email: str, name: str = "", staff_role: str = StaffRole.NONE) -> User:
    """Make a user; ``staff_role`` makes them one of the hosting company."""
    actor.require(Permission.USER_MANAGE)
    user = user_make(email=email, name=name, staff_role=staff_role)
    _audit(actor, "user.created", user, {"email": (None, user.email), "staff_role": (None, str(staff_role))})
    return user


@transaction.atomic
def user_update(*, actor: Actor, user: User, changes: dict[str, Any]) -> User:
    """Change ``name``, ``staff_role`` or ``is_active``. A user who is not active is signed out everywhere; one
    whose new role allows no tokens loses theirs.

    Raises:
        InvalidStateError: nobody would be left who may do everything, or somebody would become staff whose
            account a customer has made.
    """
    actor.require(Permission.USER_MANAGE)
    if changes.get("staff_role") and user.made_for_id is not None:
        raise InvalidStateError("A customer made this account. Hand it over first: make a set-password link.")
    return _change(actor, user, changes)


@transaction.atomic
def profile_update(*, actor: Actor, changes: dict[str, Any]) -> User:
    """Change one's own ``name`` or ``theme``."""
    if actor.user_id is None:
        raise PermissionDeniedError("Only people have a profile; this token belongs to an integration.")
    return _change(actor, User.objects.get(pk=actor.user_id), changes)


def _change(actor: Actor, user: User, changes: dict[str, Any]) -> User:
    if changes.get("is_active") is False or changes.get("staff_role", StaffRole.ADMIN) != StaffRole.ADMIN:
        _keep_an_admin(user)
    before = {name: getattr(user, name) for name in changes}
    for name, value in changes.items():
        setattr(user, name, value)
    user.save(update_fields=list(changes))
    user.refresh_from_db()
    if "staff_role" in changes:
        tokens_end_without_right(actor=actor, user=user)
    _audit(actor, "user.changed", user, {name: (before[name], value) for name, value in changes.items()})
    events.publish("user", user.pk, user_id=user.pk)
    return user


def _keep_an_admin(user: User) -> None:
    """Refuse to lose the last one. The caller has locked the administrators (``user_get_for``)."""
    others = User.objects.filter(staff_role=StaffRole.ADMIN, is_active=True).exclude(pk=user.pk)
    if user.staff_role == StaffRole.ADMIN and user.is_active and not others.exists():
        raise InvalidStateError("This is the last administrator. Make another one first.")


@transaction.atomic
def user_set_password_link(*, actor: Actor, user: User) -> str:
    """Return the path of a set-password page for somebody who is new or forgot their password.

    An account that a customer has made is taken from whoever may hold it: its password, sessions, links and tokens
    end now, and from then on it is only the person's to whom staff hand this link.

    Raises:
        InvalidStateError: the user is switched off.
    """
    actor.require(Permission.USER_MANAGE)
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        raise InvalidStateError("This user is switched off. Switch them on first.")
    changes: dict[str, tuple[Any, Any]] = {}
    if user.made_for_id is not None:
        changes = {"made_for": (str(user.made_for_id), None)}
        user.made_for = None
        user.set_unusable_password()
        user.save(update_fields=["made_for", "password"])
        tokens_end(actor=actor, user=user)
    _audit(actor, "user.set-password-link-made", user, changes)
    return set_password_path(user)


def _audit(actor: Actor, action: str, user: User, changes: dict[str, tuple[Any, Any]]) -> None:
    audit_record(
        actor=actor, action=action, object_type="user", object_id=user.pk, object_label=user.email, changes=changes
    )
