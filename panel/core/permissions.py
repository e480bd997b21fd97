"""Who may do what: the one table. Services ask ``Actor.may``; a test walks every route against it."""

from enum import StrEnum

from panel.core.models.accounts import ClientRole, CustomerRole, StaffRole


class Permission(StrEnum):
    """A right. ``….view`` rights are reads; all others change something."""

    CUSTOMER_VIEW = "customer.view"
    CUSTOMER_CREATE = "customer.create"
    CUSTOMER_EDIT = "customer.edit"
    CUSTOMER_DELETE = "customer.delete"
    MEMBER_VIEW = "member.view"
    MEMBER_MANAGE = "member.manage"
    TOKEN_VIEW = "token.view"
    TOKEN_MANAGE = "token.manage"
    KEY_VIEW = "key.view"
    KEY_MANAGE = "key.manage"
    GUEST_VIEW = "guest.view"
    GUEST_OPERATE = "guest.operate"  # power, password, rebuild, rename
    GUEST_CREATE = "guest.create"
    GUEST_RESIZE = "guest.resize"
    GUEST_DELETE = "guest.delete"
    GUEST_PLACE = "guest.place"  # choose host, customer and a size without a plan
    JOB_VIEW = "job.view"
    JOB_CANCEL = "job.cancel"
    IMAGE_VIEW = "image.view"
    IMAGE_MANAGE = "image.manage"
    PLAN_VIEW = "plan.view"
    PLAN_MANAGE = "plan.manage"
    SUBSCRIPTION_VIEW = "subscription.view"
    SUBSCRIPTION_MANAGE = "subscription.manage"
    USAGE_VIEW = "usage.view"
    FLEET_VIEW = "fleet.view"  # hosts, pools, networks, addresses
    FLEET_MANAGE = "fleet.manage"
    USER_VIEW = "user.view"
    USER_MANAGE = "user.manage"
    AUDIT_VIEW = "audit.view"
    ACT_FOR_CUSTOMER = "customer.act-for"


P = Permission
READS = frozenset(p for p in Permission if p.endswith(".view"))

_VIEWER = frozenset(
    {
        P.CUSTOMER_VIEW,
        P.MEMBER_VIEW,
        P.KEY_VIEW,
        P.GUEST_VIEW,
        P.JOB_VIEW,
        P.IMAGE_VIEW,
        P.PLAN_VIEW,
        P.SUBSCRIPTION_VIEW,
        P.USAGE_VIEW,
    }
)
_MEMBER = _VIEWER | {P.GUEST_OPERATE, P.KEY_MANAGE, P.JOB_CANCEL}
_OWNER = _MEMBER | {
    P.CUSTOMER_EDIT,
    P.MEMBER_MANAGE,
    P.TOKEN_VIEW,
    P.TOKEN_MANAGE,
    P.GUEST_CREATE,
    P.GUEST_RESIZE,
    P.GUEST_DELETE,
}
CUSTOMER_ROLES: dict[CustomerRole, frozenset[Permission]] = {
    CustomerRole.VIEWER: _VIEWER,
    CustomerRole.MEMBER: _MEMBER,
    CustomerRole.OWNER: _OWNER,
}
STAFF_ROLES: dict[StaffRole, frozenset[Permission]] = {
    StaffRole.NONE: frozenset(),
    StaffRole.OPERATOR: READS,
    StaffRole.ADMIN: frozenset(Permission),
}
CLIENT_ROLES: dict[ClientRole, frozenset[Permission]] = {
    ClientRole.NONE: frozenset(),
    ClientRole.OPERATOR: READS,
    ClientRole.ADMIN: frozenset(Permission),
    ClientRole.BILLING: frozenset(
        {
            P.CUSTOMER_VIEW,
            P.CUSTOMER_CREATE,
            P.CUSTOMER_EDIT,
            P.CUSTOMER_DELETE,
            P.KEY_VIEW,
            P.KEY_MANAGE,
            P.GUEST_VIEW,
            P.GUEST_OPERATE,
            P.JOB_VIEW,
            P.IMAGE_VIEW,
            P.PLAN_VIEW,
            P.SUBSCRIPTION_VIEW,
            P.SUBSCRIPTION_MANAGE,
            P.USAGE_VIEW,
        }
    ),
}
