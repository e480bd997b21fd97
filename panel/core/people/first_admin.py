"""The first administrator: made at set-up, and the way back in for whoever has the machine."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from panel.core.actors import SYSTEM
from panel.core.audit import audit_record
from panel.core.errors import NotFoundError
from panel.core.models import StaffRole, User
from panel.core.people.customers import house_ensure
from panel.core.people.users import user_make

DEFAULT_EMAIL = "admin@localhost"
PASSWORD_BYTES = 15  # 20 characters, 120 bits


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password just set; kept nowhere in clear."""

    email: str
    password: str


def first_admin_get() -> User | None:
    """Return the administrator that has been one the longest, of those who can sign in."""
    return User.objects.filter(staff_role=StaffRole.ADMIN, is_active=True).order_by("created_at", "id").first()


@transaction.atomic
def first_admin_ensure(*, email: str = DEFAULT_EMAIL) -> NewPassword | None:
    """Make the house's own customer and, when there is no administrator, one with a new password.

    Returns None when there was an administrator already.
    """
    house_ensure()
    if User.objects.filter(staff_role=StaffRole.ADMIN).exists():
        return None
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = user_make(email=email, name="Administrator")
    user.staff_role, user.is_active, user.made_for = StaffRole.ADMIN, True, None
    user.save(update_fields=["staff_role", "is_active", "made_for"])
    return _set(user, "user.first-admin-made")


@transaction.atomic
def admin_password_reset(*, email: str | None = None) -> NewPassword:
    """Give the first administrator, or the one of that address, a new password.

    Raises:
        NotFoundError: there is no such administrator.
    """
    user = first_admin_get()
    if email is not None:
        user = User.objects.filter(staff_role=StaffRole.ADMIN, email__iexact=email).first()
    if user is None:
        raise NotFoundError("There is no such administrator. Run first_admin to make one.")
    return _set(user, "user.password-reset-on-the-machine")


def _set(user: User, action: str) -> NewPassword:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user.set_password(password)
    user.save(update_fields=["password"])
    audit_record(actor=SYSTEM, action=action, object_type="user", object_id=user.pk, object_label=user.email)
    return NewPassword(user.email, password)
