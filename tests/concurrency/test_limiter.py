"""Collectors that act by themselves at the same moment do not exceed the limiter together."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from hosts.models import Host
from panel.core.actors import SYSTEM
from panel.core.models import Job
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest, GuestSuspension
from vms.services.reconcile.stopped import stopped_tell
from vms.services.suspension import guest_suspend, suspensions_enforce

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hosts(one_host, customer, fleet) -> list[Host]:
    """Six hosts, each with a server that was suspended yesterday and is seen running."""
    made = [order(customer, name=f"late-{number}").guest for number in range(6)]
    for guest in made:
        guest_suspend(actor=SYSTEM, guest=guest, reason="payment")
    jobs_run()
    GuestSuspension.objects.update(created_at=timezone.now() - timedelta(days=1))
    Job.objects.update(created_at=timezone.now() - timedelta(days=1))
    found = [fleet.host() for _ in made]
    for guest, host in zip(made, found, strict=True):
        Guest.objects.filter(pk=guest.pk).update(host=host, power_state="running")
    return found


def test_collectors_of_different_hosts_touch_one_server_of_six_together(hosts):
    gate = threading.Barrier(len(hosts))
    failed: list[Exception] = []

    def collect(host: Host) -> None:
        try:
            gate.wait(10)
            suspensions_enforce([host.pk])
            stopped_tell()
        except Exception as error:  # noqa: BLE001 - asserted below
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=collect, args=[host]) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert Job.objects.filter(params__automatic=True).count() == 1
    row = Difference.objects.get()
    assert (row.kind, row.found["done"], row.found["suspend"]) == ("automatic-stopped", 1, 5)
