"""Enrolling a host: what a look at it records, and what it then fetches by itself."""

import threading

import pytest
from django.db import connection

from hosts.models import Host, HostConnection, HostImage, StoragePool
from hosts.operations.hosts import HostCheck
from hosts.services import enrolment
from hosts.services.capacity import pool_take
from hosts.services.enrolment import host_enrol, pool_limit
from hosts.services.jobs import host_job
from panel.core.actors import SYSTEM
from tests.simulated_fleet import jobs_run

pytestmark = pytest.mark.django_db(transaction=True)


def enrol(fleet, name: str) -> Host:
    """Take a simulated host in and run the jobs that follow."""
    fleet.admin.make_host(name, cpus=8, memory_mib=16384)
    uri = fleet.server.uri(name)
    host, job = host_enrol(actor=SYSTEM, name=name, uris={"kvm": uri, "lxc": uri}, pool_path="/p", driver="simulated")
    assert job is not None
    jobs_run()
    host.refresh_from_db()
    return host


def test_enrolled_host_is_active_with_limits_from_what_it_has(fleet):
    host = enrol(fleet, "sim-enrol-1")
    assert (host.state, host.cpus, host.memory_mib) == ("active", 8, 16384)
    assert (host.limit_vcpus, host.limit_memory_mib) == (32, 16384 - 1024)
    assert host.pools.get().limit_gib > 0
    assert all(connection.capabilities for connection in host.connections.all())


def test_new_host_fetches_the_images_that_are_ready(fleet):
    image = fleet.image()
    host = enrol(fleet, "sim-enrol-2")
    assert {copy.file_id for copy in HostImage.objects.filter(host=host)} == {file.pk for file in image.files.all()}


def test_host_is_known_by_its_uri_whatever_its_name_is(fleet):
    first = enrol(fleet, "sim-enrol-4")
    Host.objects.update(name="renamed")
    uri = fleet.server.uri("sim-enrol-4")
    again, _ = host_enrol(
        actor=SYSTEM, name="new-hostname", uris={"kvm": uri}, pool_path="/p", driver="simulated", address="192.0.2.7"
    )
    assert (again.pk, Host.objects.count(), again.pools.count(), again.connections.count()) == (first.pk, 1, 1, 2)
    again.refresh_from_db()
    assert (again.name, again.address) == ("renamed", "192.0.2.7")


def test_sale_while_a_host_is_looked_at_is_counted(fleet, monkeypatch):
    host = fleet.host()
    pool = host.pools.get()
    StoragePool.objects.update(limit_gib=100_000)
    sold: list[bool] = []

    def sell() -> None:
        try:
            sold.append(pool_take(pool=pool, disk_gib=100_000))
        finally:
            connection.close()

    selling = threading.Thread(target=sell)

    def limit_while_one_buys(seen: StoragePool) -> int:
        selling.start()
        selling.join(0.5)
        return pool_limit(seen)

    monkeypatch.setattr(enrolment, "pool_limit", limit_while_one_buys)
    host_job(actor=SYSTEM, host=host, action="host.check")
    assert [(job.action, job.status) for job in jobs_run(rounds=1)] == [("host.check", "success")]
    selling.join(10)
    pool.refresh_from_db()
    assert (sold, pool.used_gib) == ([False], 0)
    assert pool.limit_gib < 100_000


def test_look_at_a_host_does_not_take_a_new_uri_back(fleet, monkeypatch):
    host = fleet.host()
    job = host_job(actor=SYSTEM, host=host, action="host.check")
    assert job is not None

    def pools_while_it_moves(self) -> None:
        HostConnection.objects.update(uri="simulated:///elsewhere?socket=/s")

    monkeypatch.setattr(HostCheck, "ensure_pools", pools_while_it_moves)
    assert [job.status for job in jobs_run(rounds=1)] == ["success"]
    assert {one.uri for one in HostConnection.objects.all()} == {"simulated:///elsewhere?socket=/s"}


def test_enrolling_again_is_harmless(fleet):
    first = enrol(fleet, "sim-enrol-3")
    again = enrol(fleet, "sim-enrol-3")
    assert (first.pk, Host.objects.count(), again.pools.count(), again.connections.count()) == (again.pk, 1, 1, 2)
