"""Orders that come while a restored panel first looks at its hosts never get an address that is in use."""

import pytest
from django.db import transaction

from hosts.models import Host, HostConnection, IPAddress
from hosts.registry import driver_of
from panel.core.errors import NotReadyError
from panel.core.models import Customer
from tests.concurrency.http import at_once
from tests.services.guests import order
from tests.services.restored import restore_to_before
from tests.simulated_fleet import jobs_run
from vms.operations.survey import compare_connection

pytestmark = pytest.mark.django_db(transaction=True)


def test_orders_while_the_host_is_looked_at_get_none_that_is_in_use(one_host: Host, customer: Customer):
    guest = order(customer, name="newer").guest
    jobs_run()
    used = restore_to_before(guest)
    connections = list(HostConnection.objects.filter(host=one_host))

    def one(number: int) -> str:
        if number < len(connections):
            compare_connection(driver_of(connections[number]), connections[number])
            return "compared"
        for _ in range(200):
            try:
                with transaction.atomic():
                    order(customer, name=f"web-{number}")
            except NotReadyError:
                continue
            return "made"
        return "never"

    ended = at_once(len(connections) + 8, one, threads=len(connections) + 8)
    assert sorted(ended) == ["compared"] * 2 + ["made"] * 8
    given = set(IPAddress.objects.filter(owner_id__isnull=False).values_list("address", flat=True))
    assert len(given) == 16
    assert given.isdisjoint(used)
