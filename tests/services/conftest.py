"""Fixtures of service tests."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host, HostConnection
from hosts.registry import driver_of
from panel.core.actors import Actor
from panel.core.models import Customer, Job, JobStatus
from tests import factories
from tests.services.comparing import found
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.operations.survey import compare_connection
from vms.services.reconcile.compare import panel_compare


@pytest.fixture
def guest(one_host: Host, customer: Customer) -> Guest:
    """A running guest."""
    guest = order(customer).guest
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    guest.refresh_from_db()
    return guest


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
        earlier = timezone.now() - timedelta(minutes=minutes)
        Difference.objects.filter(proved_at__isnull=False).update(proved_at=earlier)
        Job.objects.filter(finished_at__isnull=False).update(finished_at=earlier)
        Difference.objects.filter(closed_at__isnull=False).update(closed_at=earlier)
        for row in HostConnection.objects.filter(host=one_host).order_by("host_type"):
            Looking(row.pk).look()
            compare_connection(driver_of(row), row, anew=True)
        panel_compare()
        return found()

    return once
