"""Fixtures of service tests."""

from collections.abc import Callable

import pytest

from hosts.models import Host, HostConnection
from panel.core import sweeper
from panel.core.actors import Actor
from panel.core.models import Customer, JobStatus
from tests import factories
from tests.faults.deeds import Deeds
from tests.services.comparing import look_once
from tests.services.guests import order
from tests.simulated_fleet import Fleet, jobs_run
from vms.models import Guest


@pytest.fixture(autouse=True)
def few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker reads what these tests send: by the thousand it would keep the sweeper from sending more."""
    monkeypatch.setattr(sweeper, "messages_waiting", lambda queue: 0)


@pytest.fixture
def guest(one_host: Host, customer: Customer) -> Guest:
    """A running guest."""
    guest = order(customer).guest
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    guest.refresh_from_db()
    return guest


@pytest.fixture
def deeds(fleet: Fleet, one_host: Host, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> Deeds:
    """What can be asked for on the host."""
    return Deeds(fleet, one_host, customer, monkeypatch)


@pytest.fixture
def kvm(one_host: Host) -> HostConnection:
    """The host's KVM side."""
    return HostConnection.objects.get(host=one_host, host_type="kvm")


@pytest.fixture
def staff(db) -> Actor:
    """Somebody who may do everything."""
    return factories.actor_make(factories.staff_make())


@pytest.fixture
def look(one_host: Host, kvm: HostConnection) -> Callable[..., list[tuple[str, str, str]]]:
    """Watch and compare the whole host once, and the panel's own rows; ``minutes`` after the last time."""

    def once(*, minutes: float = 2) -> list[tuple[str, str, str]]:
        return look_once(one_host, minutes=minutes)

    return once
