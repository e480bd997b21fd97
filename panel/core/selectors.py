"""What a caller may see. Scope by customer happens here: what is out of sight does not exist (404)."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from panel.core.actors import Actor
from panel.core.errors import NotFoundError
from panel.core.models import (
    ApiClient,
    ApiToken,
    AuditEntry,
    Customer,
    Job,
    JobResource,
    Membership,
    SshKey,
    StaffRole,
    User,
)
from panel.core.permissions import Permission


def _one(rows: QuerySet[Any], pk: UUID, *, lock: bool = False) -> Any:
    found = (rows.select_for_update() if lock else rows).filter(pk=pk).first()
    if found is None:
        raise NotFoundError
    return found


# ── customers ───────────────────────────────────────────────────────────────────────────────────────
def customer_list_for(actor: Actor) -> QuerySet[Customer]:
    """Customers the caller sees; deleted ones nobody does."""
    rows = Customer.objects.filter(deleted_at__isnull=True)
    visible = actor.customer_ids
    return rows if visible is None else rows.filter(pk__in=visible)


def customer_get_for(actor: Actor, customer_id: UUID, *, lock: bool = False) -> Customer:
    """Return a customer the caller sees, locked until the transaction ends if asked. Raises NotFoundError."""
    customer: Customer = _one(customer_list_for(actor), customer_id, lock=lock)
    return customer


def member_list_for(actor: Actor, customer: Customer) -> QuerySet[Membership]:
    """Members of a customer. ``known_here``: what is known of the person is this customer's to see.

    It is not while they are of the hosting company or belong elsewhere too: whoever knows an address could add it.

    Raises:
        PermissionDeniedError: for callers that only manage customers.
    """
    actor.require(Permission.MEMBER_VIEW, customer.pk)
    elsewhere = Membership.objects.filter(user=OuterRef("user")).exclude(customer=customer)
    return (
        Membership.objects.filter(customer=customer)
        .select_related("user", "customer")
        .annotate(known_here=Q(user__staff_role="") & ~Exists(elsewhere))
    )


def member_get_for(actor: Actor, customer: Customer, user_id: UUID) -> Membership:
    """Return a user's membership. Raises NotFoundError."""
    membership = member_list_for(actor, customer).filter(user_id=user_id).first()
    if membership is None:
        raise NotFoundError
    return membership


# ── users, clients, tokens, keys ────────────────────────────────────────────────────────────────────
def user_list_for(actor: Actor) -> QuerySet[User]:
    """All users; only for those who may see them."""
    actor.require(Permission.USER_VIEW)
    return User.objects.all()


def user_get_for(actor: Actor, user_id: UUID, *, lock: bool = False) -> User:
    """Return a user. Raises NotFoundError.

    ``lock`` locks them and all administrators until the transaction ends, always in the order of their ids,
    so that two changes that must leave an administrator see each other and never wait for each other.
    """
    rows = user_list_for(actor)
    if lock:
        list(rows.select_for_update().filter(Q(pk=user_id) | Q(staff_role=StaffRole.ADMIN)).order_by("pk"))
    user: User = _one(rows, user_id)
    return user


def client_list_for(actor: Actor) -> QuerySet[ApiClient]:
    """All integrations (not people's own clients)."""
    actor.require(Permission.USER_VIEW)
    return ApiClient.objects.filter(user__isnull=True)


def client_get_for(actor: Actor, client_id: UUID) -> ApiClient:
    """Return an integration. Raises NotFoundError."""
    client: ApiClient = _one(client_list_for(actor), client_id)
    return client


def token_list_for(actor: Actor) -> QuerySet[ApiToken]:
    """Tokens the caller sees: staff all, everybody else their own."""
    rows = ApiToken.objects.select_related("client")
    return rows if Permission.TOKEN_VIEW in actor.everywhere else rows.filter(client_id=actor.client_id)


def token_get_for(actor: Actor, token_id: UUID) -> ApiToken:
    """Return a token. Raises NotFoundError."""
    token: ApiToken = _one(token_list_for(actor), token_id)
    return token


def key_list_for(actor: Actor) -> QuerySet[SshKey]:
    """Public keys of the customers the caller sees."""
    visible = actor.customer_ids
    return SshKey.objects.all() if visible is None else SshKey.objects.filter(customer_id__in=visible)


def key_get_for(actor: Actor, key_id: UUID) -> SshKey:
    """Return a key. Raises NotFoundError."""
    key: SshKey = _one(key_list_for(actor), key_id)
    return key


# ── jobs, audit ─────────────────────────────────────────────────────────────────────────────────────
def job_list_for(actor: Actor) -> QuerySet[Job]:
    """Jobs of the customers the caller sees; the fleet's own (no customer) only for those who see the fleet."""
    rows = Job.objects.select_related("actor_user").prefetch_related(
        Prefetch("resources", JobResource.objects.order_by("type", "resource_id"))
    )
    visible = actor.customer_ids
    if visible is not None:
        return rows.filter(customer_id__in=visible)
    return rows if Permission.FLEET_VIEW in actor.everywhere else rows.filter(customer_id__isnull=False)


def job_get_for(actor: Actor, job_id: UUID) -> Job:
    """Return a job. Raises NotFoundError."""
    job: Job = _one(job_list_for(actor), job_id)
    return job


def audit_list_for(actor: Actor) -> QuerySet[AuditEntry]:
    """The audit trail; only for those who may read it."""
    actor.require(Permission.AUDIT_VIEW)
    return AuditEntry.objects.all()
