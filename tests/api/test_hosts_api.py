"""Hosts and pools: staff read, administrators write."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host
from panel.core.models import AuditEntry, Job
from tests import factories
from tests.client import problem, queries_of
from tests.stock import NO_SHAPING, host_make, network_make

pytestmark = pytest.mark.django_db


def test_a_host_shows_facts_capabilities_with_reasons_room_and_load(operator_api):
    host = host_make(
        types=("kvm",), shaping=False, cpus=8, memory_mib=16384, used_vcpus=3, load_cpu_percent=12.5,
        labels={"rack": "7"}, location="fsn",
    )  # fmt: skip
    network = network_make(host)
    response = operator_api.get(f"/hosts/{host.pk}")
    assert response.status_code == 200
    body = response.json()
    assert response["ETag"] == f'"{body["version"]}"'
    assert (body["name"], body["location"], body["state"], body["cpus"]) == (host.name, "fsn", "active", 8)
    assert body["host_types"] == ["kvm"]
    assert body["emulated"] is False
    assert body["capacity"] == {
        "vcpus": {"limit": 64, "used": 3},
        "memory_mib": {"limit": 64512, "used": 0},
        "disk_gib": {"limit": 1000, "used": 0},
    }
    assert body["load"] == {"cpu_percent": 12.5, "memory_percent": None}
    assert body["labels"] == {"rack": "7"}
    assert body["networks"] == [{"id": str(network.pk), "name": network.name}]
    told = {c["capability"]: (c["available"], c["reason"]) for c in body["connections"][0]["capabilities"]}
    assert told["bandwidth"] == (False, NO_SHAPING)
    assert told["reset"] == (True, "")


def test_a_host_answers_while_it_was_seen_within_the_last_minute(operator_api):
    for seconds, answers in ((5, True), (65, False), (None, False)):
        seen = None if seconds is None else timezone.now() - timedelta(seconds=seconds)
        host = host_make(last_seen_at=seen)
        assert operator_api.get(f"/hosts/{host.pk}").json()["answers"] is answers, seconds
        host.connections.update(last_seen_at=seen)
        assert {c["answers"] for c in operator_api.get(f"/hosts/{host.pk}").json()["connections"]} == {answers}


def test_a_host_that_was_silent_at_the_last_look_does_not_answer(operator_api):
    """Its guests are unknown from that look on; an error of a check of the host itself says nothing of it."""
    host = host_make(last_seen_at=timezone.now())
    host.connections.update(last_seen_at=timezone.now())
    kvm = host.connections.get(host_type="kvm")

    def answers() -> tuple[bool, dict[str, bool]]:
        (body,) = operator_api.get("/hosts").json()["results"]
        assert operator_api.get(f"/hosts/{host.pk}").json()["answers"] is body["answers"]
        return body["answers"], {one["host_type"]: one["answers"] for one in body["connections"]}

    each = dict.fromkeys(host.connections.values_list("host_type", flat=True), True)
    type(host).objects.update(last_error="The check failed.")
    assert answers() == (True, each)
    host.connections.filter(pk=kvm.pk).update(last_error="The host does not answer.")
    assert answers() == (False, each | {kvm.host_type: False})
    host.connections.filter(pk=kvm.pk).update(enabled=False)
    assert answers()[0] is True


@pytest.mark.parametrize("path", ["/hosts", "/pools", "/networks", "/addresses"])
def test_the_fleet_is_for_staff_only(path, admin_api, operator_api, billing_api, owner_api, anonymous):
    assert admin_api.get(path).status_code == 200
    assert operator_api.get(path).status_code == 200
    problem(billing_api.get(path), 403, "permission_denied")
    problem(owner_api.get(path), 403, "permission_denied")
    problem(anonymous.get(path), 401, "not_authenticated")


def test_hosts_are_filtered_and_paged_by_name(operator_api):
    names = ["alpha", "beta", "gamma"]
    for name in names:
        host_make(name=name, types=("lxc",) if name == "beta" else ("kvm",), location="a" if name == "gamma" else "b")
    first = operator_api.get("/hosts", limit=2).json()
    assert [h["name"] for h in first["results"]] == ["alpha", "beta"]
    second = operator_api.get("/hosts", limit=2, cursor=first["next"]).json()
    assert ([h["name"] for h in second["results"]], second["next"]) == (["gamma"], None)
    assert [h["name"] for h in operator_api.get("/hosts", host_type="lxc").json()["results"]] == ["beta"]
    assert [h["name"] for h in operator_api.get("/hosts", location="a").json()["results"]] == ["gamma"]
    assert [h["name"] for h in operator_api.get("/hosts", search="LPH").json()["results"]] == ["alpha"]
    problem(operator_api.get("/hosts", state="asleep"), 400, "invalid_input", "state")
    problem(operator_api.get("/hosts", limit=2, cursor=first["next"], state="active"), 400, "cursor_mismatch")


def test_the_list_of_hosts_costs_the_same_number_of_queries_for_any_number(operator_api):
    def get() -> None:
        assert operator_api.get("/hosts").status_code == 200

    host_make()
    get()
    one = queries_of(get)
    for _ in range(4):
        network_make(host_make())
    assert queries_of(get) == one


def test_over_commit_and_reserve_change_what_may_be_sold(admin_api):
    host = host_make(cpus=8, memory_mib=16384, used_vcpus=3)
    response = admin_api.patch(
        f"/hosts/{host.pk}",
        {"name": "new-name", "location": "fsn", "labels": {"a": "b"}, "cpu_overcommit": "2.5",
         "memory_overcommit": "1.5", "memory_reserve_mib": 384},
    )  # fmt: skip
    assert response.status_code == 200, response.content
    body = response.json()
    assert (body["name"], body["location"], body["labels"]) == ("new-name", "fsn", {"a": "b"})
    assert body["capacity"]["vcpus"] == {"limit": 20, "used": 3}
    assert body["capacity"]["memory_mib"] == {"limit": 24000, "used": 0}
    entry = AuditEntry.objects.get(action="host.edited")
    assert entry.changes["cpu_overcommit"] == ["4.0", "2.5"]
    assert "memory_mib" not in entry.changes


def test_limits_never_fall_below_what_is_sold(admin_api):
    host = host_make(cpus=4, memory_mib=8192, used_vcpus=30, used_memory_mib=7000)
    body = admin_api.patch(f"/hosts/{host.pk}", {"cpu_overcommit": "1", "memory_reserve_mib": 8000}).json()
    assert body["capacity"]["vcpus"] == {"limit": 30, "used": 30}
    assert body["capacity"]["memory_mib"] == {"limit": 7000, "used": 7000}


def test_editing_a_host_is_checked(admin_api, operator_api):
    host, other = host_make(), host_make()
    before = admin_api.get(f"/hosts/{host.pk}")
    problem(operator_api.patch(f"/hosts/{host.pk}", {"location": "x"}), 403, "permission_denied")
    problem(admin_api.patch(f"/hosts/{host.pk}", {"name": other.name}), 400, "invalid_input", "name")
    problem(admin_api.patch(f"/hosts/{host.pk}", {"name": "no spaces"}), 400, "invalid_input", "name")
    problem(admin_api.patch(f"/hosts/{host.pk}", {"cpu_overcommit": "0.5"}), 400, "invalid_input", "cpu_overcommit")
    problem(admin_api.patch(f"/hosts/{host.pk}", {"labels": {"a b": "c"}}), 400, "invalid_input", "labels")
    problem(admin_api.patch(f"/hosts/{host.pk}", {"state": "retired"}), 400, "invalid_input", "state")
    stale = admin_api.patch(f"/hosts/{host.pk}", {"location": "x"}, headers={"If-Match": '"999"'})
    problem(stale, 412, "version_mismatch")
    assert admin_api.get(f"/hosts/{host.pk}").json() == before.json()


def test_maintenance_is_entered_and_left_and_repeating_it_is_no_error(admin_api, operator_api):
    host = host_make()
    problem(operator_api.post(f"/hosts/{host.pk}/actions/enter-maintenance"), 403, "permission_denied")
    for _ in range(2):
        response = admin_api.post(f"/hosts/{host.pk}/actions/enter-maintenance")
        assert (response.status_code, response.json()["state"]) == (200, "maintenance")
    for _ in range(2):
        response = admin_api.post(f"/hosts/{host.pk}/actions/leave-maintenance")
        assert (response.status_code, response.json()["state"]) == (200, "active")
    assert AuditEntry.objects.filter(object_id=host.pk).count() == 2
    Host.objects.filter(pk=host.pk).update(state="retired")
    problem(admin_api.post(f"/hosts/{host.pk}/actions/enter-maintenance"), 409, "invalid_state")
    problem(admin_api.post("/hosts/00000000-0000-0000-0000-000000000000/actions/enter-maintenance"), 404, "not_found")


@pytest.mark.parametrize(("verb", "state"), [("check", "active"), ("enrol", "enrolling")])
def test_checking_or_enrolling_a_host_starts_one_job(admin_api, verb, state):
    host = host_make(state=state)
    first = admin_api.post(f"/hosts/{host.pk}/actions/{verb}")
    assert first.status_code == 202, first.content
    job = first.json()["job"]
    assert (job["action"], job["status"]) == ("host.check", "queued")
    assert first["Location"] == f"/api/v1/jobs/{job['id']}"
    assert admin_api.post(f"/hosts/{host.pk}/actions/check").json()["job"]["id"] == job["id"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize("verb", ["check", "enrol"])
def test_a_retired_host_is_left_alone(admin_api, verb):
    host = host_make(state="retired")
    problem(admin_api.post(f"/hosts/{host.pk}/actions/{verb}"), 409, "invalid_state")
    assert Job.objects.count() == 0


def test_pools_show_what_is_sold_and_take_another_over_commit(admin_api, operator_api):
    host = host_make(pool_gib=100)
    host_make()
    pool = operator_api.get("/pools", host=host.pk).json()["results"]
    assert len(pool) == 1
    assert pool[0]["host"] == {"id": str(host.pk), "name": host.name}
    assert (pool[0]["limit_gib"], pool[0]["used_gib"], pool[0]["overcommit"]) == (100, 0, "2.0")
    body = admin_api.patch(f"/pools/{pool[0]['id']}", {"overcommit": "3"}).json()
    assert (body["overcommit"], body["limit_gib"]) == ("3.0", 300)
    problem(operator_api.patch(f"/pools/{pool[0]['id']}", {"overcommit": "3"}), 403, "permission_denied")
    problem(operator_api.get("/pools", host="seven"), 400, "invalid_input", "host")


def test_staff_acting_as_a_customer_see_no_fleet(browser_of, customer):
    admin = factories.staff_make()
    browser = browser_of(admin)
    session = browser.browser.session
    session["act_for_customer"] = str(customer.pk)
    session.save()
    problem(browser.get("/hosts"), 403, "permission_denied")
