"""People, customers and jobs for tests, made directly: short to write where a test is about something else.

Every function takes the model's fields as keywords over sensible defaults and returns the row as the
database has it.
"""

import itertools
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from panel.core.actors import SYSTEM, Actor, bearer
from panel.core.models import (
    ApiClient,
    ApiToken,
    ClientRole,
    Customer,
    CustomerRole,
    Job,
    JobResource,
    Membership,
    ResourceSlot,
    SshKey,
    StaffRole,
    TokenScope,
    User,
)
from panel.core.models.jobs import FINAL
from panel.core.people.ssh_public_key import public_key_parse
from panel.core.people.tokens import PREFIX_LENGTH, SECRET_LENGTH, TokenCreated
from panel.core.secrets import secret_hmac

_numbers = itertools.count(1)
PASSWORD = "correct horse battery"
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KBBuN2OZkU8eC5RFw0lgEkB0BQzHGyCkCHgfJ0qbv"


def number() -> int:
    """Return a number not given out before in this process."""
    return next(_numbers)


def user_make(*, password: str | None = None, **fields: Any) -> User:
    """Make a user; without ``password`` one that cannot sign in yet."""
    user = User(**{"email": f"person{number()}@example.com", **fields})
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    user.refresh_from_db()
    return user


def staff_make(role: str = StaffRole.ADMIN, **fields: Any) -> User:
    """Make a user of the hosting company."""
    return user_make(staff_role=role, **fields)


def customer_make(**fields: Any) -> Customer:
    """Make a customer without members or quota."""
    customer = Customer.objects.create(**{"name": f"Customer {number()}", **fields})
    customer.refresh_from_db()
    return customer


def house_make() -> Customer:
    """Return the house's own customer, made when there is none."""
    house = Customer.objects.filter(is_house=True).first()
    return house or customer_make(name="House", is_house=True)


def member_make(customer: Customer, role: str = CustomerRole.OWNER, **fields: Any) -> User:
    """Make a user with a role at a customer."""
    user = user_make(**fields)
    Membership.objects.create(user=user, customer=customer, role=role)
    return user


def client_make(role: str = ClientRole.BILLING, **fields: Any) -> ApiClient:
    """Make an integration."""
    return ApiClient.objects.create(**{"name": f"Integration {number()}", "role": role, **fields})


def token_make(
    owner: User | ApiClient, *, scope: str = TokenScope.WRITE, expires_at: datetime | None = None
) -> TokenCreated:
    """Make a token of a person or an integration, without the service's checks."""
    if isinstance(owner, User):
        owner, _ = ApiClient.objects.get_or_create(user=owner, defaults={"name": owner.email})
    prefix = f"{number():0{PREFIX_LENGTH}d}"
    secret = "s" * SECRET_LENGTH
    token = ApiToken.objects.create(
        client=owner, name="test", prefix=prefix, secret_hmac=secret_hmac(secret), scope=scope, expires_at=expires_at
    )
    return TokenCreated(token, prefix + secret)


def actor_make(owner: User | ApiClient) -> Actor:
    """Return the actor of a new token of a person or an integration, for calling services directly."""
    return bearer(token_make(owner).token)


def ssh_key_make(customer: Customer, *, name: str | None = None, public_key: str = ED25519) -> SshKey:
    """Keep a public key for a customer."""
    key = public_key_parse(public_key)
    return SshKey.objects.create(
        customer=customer, name=name or f"key {number()}", public_key=key.line, fingerprint=key.fingerprint
    )


def job_make(*, guest_id: UUID | None = None, **fields: Any) -> Job:
    """Make a job row that nobody will run; a final ``status`` gets its time of end."""
    if fields.get("status") in FINAL:
        fields.setdefault("finished_at", timezone.now())
    job = Job.objects.create(**{"action": "test.nothing", "actor_kind": "system", "actor_label": "system", **fields})
    if guest_id is not None:
        slot = None if job.is_final else ResourceSlot.HOLDING
        JobResource.objects.create(job=job, type="guest", resource_id=guest_id, slot=slot)
    job.refresh_from_db()
    return job


__all__ = [
    "ED25519",
    "PASSWORD",
    "SYSTEM",
    "actor_make",
    "client_make",
    "customer_make",
    "house_make",
    "job_make",
    "member_make",
    "number",
    "ssh_key_make",
    "staff_make",
    "token_make",
    "user_make",
]
