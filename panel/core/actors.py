"""Who is asking: one frozen value made at the edge and passed down to every service."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from panel.core.errors import NotFoundError, PermissionDeniedError
from panel.core.models import ApiClient, ApiToken, ClientRole, CustomerRole, StaffRole, TokenScope, User
from panel.core.permissions import CLIENT_ROLES, CUSTOMER_ROLES, READS, STAFF_ROLES, Permission


class ActorKind(StrEnum):
    """What kind of caller."""

    PERSON = "person"
    INTEGRATION = "integration"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The caller of a service, with everything that decides what it may do."""

    kind: ActorKind
    label: str
    user_id: UUID | None = None
    client_id: UUID | None = None
    token_id: UUID | None = None
    staff_role: str = StaffRole.NONE
    client_role: str = ClientRole.NONE
    roles: dict[UUID, str] = field(default_factory=dict)  # customer id -> CustomerRole
    read_only: bool = False
    acting_for: UUID | None = None  # staff who act as this customer
    address: str | None = None
    request_id: str = ""

    # What Django and DRF ask of request.user.
    is_authenticated = True
    is_active = True

    @property
    def pk(self) -> str:
        """A stable identity for throttles."""
        return str(self.client_id or self.user_id or self.label)

    @property
    def is_staff(self) -> bool:
        """True for people and programs of the hosting company that see every customer's things."""
        return self.acting_for is None and bool(self.everywhere)

    @property
    def everywhere(self) -> frozenset[Permission]:
        """What the actor may do with every customer's things."""
        if self.kind is ActorKind.SYSTEM:
            return frozenset(Permission)
        if self.acting_for is not None:
            return frozenset()
        allowed = STAFF_ROLES[StaffRole(self.staff_role)] | CLIENT_ROLES[ClientRole(self.client_role)]
        return allowed & READS if self.read_only else allowed

    @property
    def customer_ids(self) -> frozenset[UUID] | None:
        """The customers whose things the actor sees; None means all."""
        return None if Permission.CUSTOMER_VIEW in self.everywhere else frozenset(self.roles)

    def sees(self, customer_id: UUID | None) -> bool:
        """True when the actor may know that things of this customer exist."""
        visible = self.customer_ids
        return visible is None or customer_id in visible

    def may(self, permission: Permission, customer_id: UUID | None = None) -> bool:
        """True when the actor may do this; with ``customer_id``, to this customer's things."""
        return permission in self.everywhere or (customer_id is not None and permission in self.rights_at(customer_id))

    def rights_at(self, customer_id: UUID) -> frozenset[Permission]:
        """What the actor's role with this customer allows; staff's rights to everybody's things are not in it."""
        role = self.roles.get(customer_id)
        if role is None:
            return frozenset()
        allowed = CUSTOMER_ROLES[CustomerRole(role)]
        return allowed & READS if self.read_only else allowed

    def may_somewhere(self, permission: Permission) -> bool:
        """True when the actor may do this to at least one customer's things, or to everybody's."""
        return self.may(permission) or any(self.may(permission, customer) for customer in self.roles)

    def require(self, permission: Permission, customer_id: UUID | None = None) -> None:
        """Raise unless ``may``: NotFoundError for a customer out of sight, else PermissionDeniedError."""
        if customer_id is not None and not self.sees(customer_id):
            raise NotFoundError
        if not self.may(permission, customer_id):
            raise PermissionDeniedError(
                "This token can only read." if self.read_only else "Your role does not allow this.",
                permission=str(permission),
            )


SYSTEM = Actor(kind=ActorKind.SYSTEM, label="system")


def person(user: User, *, client: ApiClient | None = None, address: str | None = None, request_id: str = "") -> Actor:
    """Return the actor of a signed-in user; ``client`` saves a query where it is known."""
    if client is None:
        client, _ = ApiClient.objects.get_or_create(user=user, defaults={"name": user.email})
    return Actor(
        kind=ActorKind.PERSON,
        label=user.email,
        user_id=user.pk,
        client_id=client.pk,
        staff_role=user.staff_role,
        roles=dict(user.memberships.values_list("customer_id", "role")),
        address=address,
        request_id=request_id,
    )


def bearer(token: ApiToken, *, address: str | None = None, request_id: str = "") -> Actor:
    """Return the actor of a token: never more than its owner, and less with scope read."""
    client = token.client
    if client.user is not None:
        actor = person(client.user, client=client, address=address, request_id=request_id)
    else:
        actor = Actor(
            kind=ActorKind.INTEGRATION,
            label=client.name,
            client_id=client.pk,
            client_role=client.role,
            address=address,
            request_id=request_id,
        )
    return replace(actor, token_id=token.pk, read_only=token.scope == TokenScope.READ)


def act_for(actor: Actor, customer_id: UUID) -> Actor:
    """Return ``actor`` (staff) with the rights of an owner of one customer and nothing else."""
    return replace(actor, acting_for=customer_id, roles={customer_id: CustomerRole.OWNER})
