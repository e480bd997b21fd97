"""Fixtures of service tests."""

import pytest

from hosts.models import Host
from panel.core.models import Customer, JobStatus
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Guest


@pytest.fixture
def guest(one_host: Host, customer: Customer) -> Guest:
    """A running guest."""
    guest = order(customer).guest
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    guest.refresh_from_db()
    return guest
