"""From a simulated host's listings, through the collector, into the tables."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host, HostConnection
from hosts.usage import store
from hosts.usage.kinds import GUEST, HOST
from hosts.usage.recorder import HostUsage
from hosts.usage.resolutions import floor_to
from tests.services.usage import rows
from tests.services.watching import Looking
from vms.collector.watcher import Answer
from vms.collector.writing import keep_usage
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_listing_becomes_samples_of_the_guest_and_of_its_host(guest: Guest, one_host: Host) -> None:
    kvm = HostConnection.objects.get(host=one_host, host_type="kvm")
    usage = HostUsage(host_id=one_host.pk, host_type="kvm")
    store.partitions_ensure()
    end = floor_to(timezone.now(), 300)
    for before_end_s in (30, 15, 0):
        answer = Looking(kvm.pk).ask()
        assert answer.domains is not None
        moment = end - timedelta(seconds=before_end_s)
        keep_usage(usage, Answer(connection=kvm, asked_at=moment, domains=answer.domains, load=answer.load))
    keep_usage(usage, Answer(connection=kvm, asked_at=end + timedelta(minutes=2), error="gone"))
    names = ("covered_s", "cpu_percent", "memory_used_mib", "disk_read_bytes_per_s", "net_sent_bytes_per_s")
    ((began, covered, *samples),) = rows(GUEST, "15s", guest.pk, *names)
    assert began == end - timedelta(minutes=5)
    assert covered == [None] * 18 + [15.0] * 2
    assert all(len([value for value in values if value is not None]) == 2 for values in samples)
    ((_, cpu, memory),) = rows(HOST, "15s", one_host.pk, "cpu_percent", "memory_used_mib")
    assert [value is not None for value in cpu[18:]] == [value is not None for value in memory[18:]] == [True, True]
