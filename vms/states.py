"""The guest's state machine, as one table. Nothing else decides what may be asked of a guest."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models

from hosts.drivers.types import PowerState
from panel.core.errors import InvalidStateError
from panel.core.permissions import Permission


class Lifecycle(models.TextChoices):
    """What the customer has."""

    PROVISIONING = "provisioning", "Provisioning"
    ACTIVE = "active", "Active"
    ERROR = "error", "Failed"
    DELETING = "deleting", "Deleting"
    DELETED = "deleted", "Deleted"


class PowerWanted(models.TextChoices):
    """What was last asked for."""

    ON = "on", "On"
    OFF = "off", "Off"


class GuestAction(StrEnum):
    """Everything that can be asked of a guest. The part after the dot is the API's name of it."""

    CREATE = "guest.create"
    START = "guest.start"
    SHUTDOWN = "guest.shutdown"
    STOP = "guest.stop"
    REBOOT = "guest.reboot"
    RESET = "guest.reset"
    RESET_ROOT_PASSWORD = "guest.reset-root-password"
    REBUILD = "guest.rebuild"
    RESIZE = "guest.resize"
    SUSPEND = "guest.suspend"
    UNSUSPEND = "guest.unsuspend"
    DELETE = "guest.delete"
    SCRUB_SEED = "guest.scrub-seed"
    REPAIR = "guest.repair"
    ADOPT = "guest.adopt"

    @property
    def verb(self) -> str:
        """The action's name in the API."""
        return self.value.split(".", 1)[1]


L, P, W = Lifecycle, PowerState, PowerWanted
ON = frozenset({P.RUNNING, P.PAUSED, P.CRASHED})
OFF = frozenset({P.SHUTOFF, P.CRASHED})
ANY = frozenset(P)


@dataclass(frozen=True, slots=True)
class Rule:
    """When an action is allowed and what it leads to."""

    allowed_from: frozenset[Lifecycle]
    power: frozenset[PowerState]  # the last seen power state; unknown is always let through to the worker
    permission: Permission
    on_success: Lifecycle | None = None  # None: stays what it was
    on_error: Lifecycle | None = None
    wanted: PowerWanted | None = None
    while_suspended: bool = False
    customer_action: bool = True  # has a route of its own under /guests/{id}/actions
    may_wait: bool = False  # waits behind the present job instead of being refused


def _rule(*allowed: Lifecycle, power: frozenset[PowerState] = ANY, permission: Permission, **rest: object) -> Rule:
    return Rule(frozenset(allowed), power, permission, **rest)  # type: ignore[arg-type]


A, Right = GuestAction, Permission
# fmt: off
RULES: dict[GuestAction, Rule] = {
    A.CREATE:              _rule(L.PROVISIONING, L.ERROR, permission=Right.GUEST_CREATE, on_success=L.ACTIVE, on_error=L.ERROR, wanted=W.ON, customer_action=False),
    A.START:               _rule(L.ACTIVE, power=OFF | {P.PAUSED}, permission=Right.GUEST_OPERATE, wanted=W.ON),
    A.SHUTDOWN:            _rule(L.ACTIVE, power=ON,   permission=Right.GUEST_OPERATE, wanted=W.OFF),
    A.STOP:                _rule(L.ACTIVE, power=ON,   permission=Right.GUEST_OPERATE, wanted=W.OFF),
    A.REBOOT:              _rule(L.ACTIVE, power=ON,   permission=Right.GUEST_OPERATE, wanted=W.ON),
    A.RESET:               _rule(L.ACTIVE, power=ON,   permission=Right.GUEST_OPERATE, wanted=W.ON),
    A.RESET_ROOT_PASSWORD: _rule(L.ACTIVE,             permission=Right.GUEST_OPERATE),
    A.REBUILD:             _rule(L.ACTIVE, L.ERROR,    permission=Right.GUEST_OPERATE, on_success=L.ACTIVE, on_error=L.ERROR, wanted=W.ON),
    A.RESIZE:              _rule(L.ACTIVE, power=OFF,  permission=Right.GUEST_RESIZE),
    A.SUSPEND:             _rule(L.PROVISIONING, L.ACTIVE, L.ERROR, permission=Right.SUBSCRIPTION_MANAGE, while_suspended=True, customer_action=False, may_wait=True),
    A.UNSUSPEND:           _rule(L.PROVISIONING, L.ACTIVE, L.ERROR, permission=Right.SUBSCRIPTION_MANAGE, while_suspended=True, customer_action=False, may_wait=True),
    A.DELETE:              _rule(L.PROVISIONING, L.ACTIVE, L.ERROR, L.DELETING, permission=Right.GUEST_DELETE, on_success=L.DELETED, wanted=W.OFF, customer_action=False, may_wait=True),
    A.SCRUB_SEED:          _rule(L.ACTIVE,             permission=Right.GUEST_PLACE, while_suspended=True, customer_action=False),
    A.REPAIR:              _rule(L.ACTIVE,             permission=Right.FLEET_MANAGE, while_suspended=True, customer_action=False),
    A.ADOPT:               _rule(L.PROVISIONING,       permission=Right.FLEET_MANAGE, on_success=L.ACTIVE, customer_action=False),
}
# What cannot be done with a server that was taken over, and why: the panel has not made it.
NOT_TAKEN_OVER = {
    A.REBUILD: "The server was taken over and not made from an image here. Order a new one instead.",
    A.RESET_ROOT_PASSWORD: "The server was taken over and has no seed by which a password could be handed over.",
}
# fmt: on


def check_allowed(
    action: GuestAction, *, lifecycle: str, power_state: str, suspended: bool, deleting: bool, taken_over: bool = False
) -> Rule:
    """Return the action's rule, or say in one sentence why it cannot be done now.

    Raises:
        InvalidStateError: with ``current`` and ``allowed_from``.
    """
    rule = RULES[action]
    reason = refusal(
        action,
        lifecycle=lifecycle,
        power_state=power_state,
        suspended=suspended,
        deleting=deleting,
        taken_over=taken_over,
    )
    if reason:
        current = lifecycle if Lifecycle(lifecycle) not in rule.allowed_from else power_state
        raise InvalidStateError(reason, current=current, allowed_from=sorted(rule.allowed_from))
    return rule


def refusal(
    action: GuestAction, *, lifecycle: str, power_state: str, suspended: bool, deleting: bool, taken_over: bool = False
) -> str:
    """Return why an action is not possible in a state, or "" when it is."""
    rule = RULES[action]
    if taken_over and action in NOT_TAKEN_OVER:
        return NOT_TAKEN_OVER[action]
    if deleting and action is not A.DELETE:
        return "The server is being deleted."
    if Lifecycle(lifecycle) not in rule.allowed_from:
        return f"This cannot be done while the server is {Lifecycle(lifecycle).label.lower()}."
    if suspended and not rule.while_suspended:
        return "The server is suspended."
    if power_state != P.UNKNOWN and PowerState(power_state) not in rule.power:
        return f"This cannot be done while the server is {POWER_WORDS[PowerState(power_state)]}."
    return ""


POWER_WORDS = {P.RUNNING: "running", P.PAUSED: "paused", P.SHUTOFF: "off", P.CRASHED: "crashed", P.UNKNOWN: "unknown"}
