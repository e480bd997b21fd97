"""The state machine's table is whole, and says no in plain words."""

import pytest

from hosts.drivers.types import PowerState
from panel.core.operations import registered
from panel.core.permissions import CUSTOMER_ROLES
from vms.states import RULES, GuestAction, Lifecycle, refusal


@pytest.mark.parametrize("action", list(GuestAction))
def test_every_action_has_a_rule_and_an_operation(action):
    assert action in RULES
    operation = registered()[action]
    for step in operation.steps:
        assert callable(getattr(operation, step.name))
        assert step.title


def test_every_guest_operation_is_an_action():
    assert {a for a in registered() if a.startswith("guest.")} == {str(a) for a in GuestAction}


@pytest.mark.parametrize("action", list(GuestAction))
@pytest.mark.parametrize("lifecycle", list(Lifecycle))
def test_a_guest_being_deleted_can_only_be_deleted(action, lifecycle):
    said = refusal(action, lifecycle=lifecycle, power_state="running", suspended=False, deleting=True)
    if action is not GuestAction.DELETE:
        assert said == "The server is being deleted."


@pytest.mark.parametrize("action", [a for a, rule in RULES.items() if rule.customer_action])
def test_nothing_a_customer_may_ask_passes_a_suspension(action):
    for power in PowerState:
        assert refusal(action, lifecycle="active", power_state=power, suspended=True, deleting=False)


@pytest.mark.parametrize(
    ("action", "power", "said"),
    [
        ("guest.start", "running", "This cannot be done while the server is running."),
        ("guest.start", "shutoff", ""),
        ("guest.start", "unknown", ""),
        ("guest.stop", "shutoff", "This cannot be done while the server is off."),
        ("guest.resize", "running", "This cannot be done while the server is running."),
        ("guest.rebuild", "running", ""),
    ],
)
def test_power_rules(action, power, said):
    assert refusal(GuestAction(action), lifecycle="active", power_state=power, suspended=False, deleting=False) == said


def test_some_customer_role_has_each_customer_action():
    rights = set().union(*CUSTOMER_ROLES.values())
    assert all(rule.permission in rights for rule in RULES.values() if rule.customer_action)
