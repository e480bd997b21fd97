"""How many more servers of a plan fit."""

import pytest

from hosts.models import Host
from hosts.services.addresses import addresses_take
from tests.client import problem, queries_of
from tests.stock import host_make, network_make, plan_make

pytestmark = pytest.mark.django_db


def capacity(api, plan, **query) -> dict[tuple[str, str], tuple[int, str]]:
    response = api.get("/capacity", plan=plan, **query)
    assert response.status_code == 200, response.content
    return {(r["location"], r["host_type"]): (r["fits"], r["limited_by"]) for r in response.json()["results"]}


def test_what_fits_is_the_least_of_processors_memory_disk_and_addresses(billing_api):
    plan_make(slug="p", host_types=["kvm"], vcpus=2, memory_mib=1024, disk_gib=10)
    host = host_make(limit_vcpus=64, limit_memory_mib=65536, pool_gib=1000)
    network = network_make(host, addresses=50)
    assert capacity(billing_api, "p") == {("default", "kvm"): (32, "vcpus")}
    Host.objects.filter(pk=host.pk).update(used_memory_mib=65536 - 20 * 1024 - 1)
    assert capacity(billing_api, "p") == {("default", "kvm"): (20, "memory")}
    host.pools.update(used_gib=1000 - 19)
    assert capacity(billing_api, "p") == {("default", "kvm"): (1, "disk")}
    host.pools.update(used_gib=0)
    for _ in range(40):
        addresses_take(network=network, owner_id=network.pk, nic_id=network.pk)
    assert capacity(billing_api, "p") == {("default", "kvm"): (10, "addresses")}


def test_hosts_of_a_location_add_up_but_share_their_addresses(billing_api):
    plan_make(slug="p", host_types=["kvm", "lxc"], vcpus=1, memory_mib=512, disk_gib=10)
    first, second = host_make(location="fsn"), host_make(location="fsn", types=("kvm",))
    network_make(first, second, addresses=100)
    network_make(host_make(location="hel", types=("lxc",)), addresses=5)
    full = host_make(location="ash", types=("kvm",), used_vcpus=64)
    network_make(full)
    asleep = host_make(location="nbg", state="maintenance")
    network_make(asleep)
    host_make(location="sin")  # without a network
    assert capacity(billing_api, "p") == {
        ("ash", "kvm"): (0, "vcpus"),
        ("fsn", "kvm"): (100, "addresses"),
        ("fsn", "lxc"): (64, "vcpus"),
        ("hel", "lxc"): (5, "addresses"),
    }
    assert capacity(billing_api, "p", location="hel") == {("hel", "lxc"): (5, "addresses")}


def test_a_host_that_does_not_answer_has_room_for_nothing(billing_api):
    plan_make(slug="p", host_types=["kvm", "lxc"], vcpus=1, memory_mib=512, disk_gib=10)
    silent, other = host_make(), host_make(types=("kvm",))
    network_make(silent, other)
    silent.connections.filter(host_type="kvm").update(last_error="connection refused")
    assert capacity(billing_api, "p") == {("default", "kvm"): (64, "vcpus"), ("default", "lxc"): (64, "vcpus")}


def test_a_plan_that_needs_shaping_fits_only_where_it_can_be(billing_api):
    plan_make(slug="strict", host_types=["kvm"], bandwidth_mbit_per_s=10, bandwidth_required=True)
    plan_make(slug="loose", host_types=["kvm"], bandwidth_mbit_per_s=10)
    network_make(host_make(shaping=False))
    assert capacity(billing_api, "strict") == {}
    assert capacity(billing_api, "loose") == {("default", "kvm"): (64, "vcpus")}


def test_customers_learn_only_whether_little_is_left(viewer_api, operator_api):
    plan_make(slug="p", host_types=["kvm"])
    host = host_make()
    network_make(host)
    assert capacity(viewer_api, "p") == {("default", "kvm"): (10, "vcpus")}
    assert capacity(operator_api, "p") == {("default", "kvm"): (64, "vcpus")}
    Host.objects.update(used_vcpus=61)
    assert capacity(viewer_api, "p") == {("default", "kvm"): (3, "vcpus")}
    problem(viewer_api.get("/capacity", plan="none"), 400, "invalid_input", "plan")
    problem(viewer_api.get("/capacity", host="x"), 400, "invalid_input", "host")


def test_without_a_plan_all_that_are_sold_answer(viewer_api):
    plan_make(slug="b", host_types=["lxc"], vcpus=32)
    plan_make(slug="a", host_types=["kvm", "lxc"], vcpus=16)
    plan_make(slug="old", archived_at="2026-01-01T00:00Z")
    network_make(host_make(location="fsn"))
    network_make(host_make(location="hel", types=("lxc",), limit_vcpus=16))

    def asked(**query):
        body = viewer_api.get("/capacity", **query).json()
        rows = [(r["plan"], r["host_type"], r["location"], r["fits"]) for r in body["results"]]
        return body["plan"], rows

    plan, rows = asked()
    queries = queries_of(asked)
    assert plan is None
    assert rows == [
        ("a", "kvm", "fsn", 4),
        ("a", "lxc", "fsn", 4),
        ("a", "lxc", "hel", 1),
        ("b", "lxc", "fsn", 2),
        ("b", "lxc", "hel", 0),
    ]
    assert asked(location="hel")[1] == [("a", "lxc", "hel", 1), ("b", "lxc", "hel", 0)]
    assert asked(plan="b")[:2] == ("b", [row for row in rows if row[0] == "b"])
    for number in range(4):
        plan_make(slug=f"more-{number}", host_types=["kvm", "lxc"])
    assert queries_of(asked) == queries
