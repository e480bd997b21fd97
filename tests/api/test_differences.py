"""Differences over HTTP: listed and filtered, acted upon by administrators alone."""

import uuid

import pytest
from django.utils import timezone

from hosts.models import Host, HostConnection, IPAddress
from panel.core.models import AuditEntry, Job
from tests import stock
from vms.models import Difference, Guest
from vms.services.adoptable import HOST_ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Host:
    return stock.host_make()


def difference(host: Host, **fields) -> Difference:
    values = {
        "kind": "volume-without-owner", "severity": "low", "key": str(uuid.uuid4()), "host": host, "host_type": "kvm",
        "object_type": "volume", "label": "old.qcow2", "last_seen_at": timezone.now(),
        "found": {"pool": host.pools.get().name, "name": "old.qcow2"},
    }  # fmt: skip
    return Difference.objects.create(**{**values, **fields})


def labels(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return sorted(row["label"] for row in answer.json()["results"])


def test_the_list_shows_what_is_open_and_filters(host, operator_api):
    other = stock.host_make()
    difference(host, label="a")
    difference(host, label="b", state="suspected", severity="high")
    difference(other, label="c", kind="wrong-size")
    difference(host, label="d", state="closed")
    difference(host, label="e", state="ignored")
    assert labels(operator_api.get("/differences")) == ["a", "b", "c"]
    assert labels(operator_api.get("/differences", host=str(host.pk))) == ["a", "b"]
    assert labels(operator_api.get("/differences", severity="high")) == ["b"]
    assert labels(operator_api.get("/differences", kind="wrong-size")) == ["c"]
    assert labels(operator_api.get("/differences", state="closed")) == ["d"]
    assert labels(operator_api.get("/differences", state="any")) == ["a", "b", "c", "d", "e"]
    assert operator_api.get("/differences", state="nonsense").status_code == 400


def test_the_list_costs_the_same_for_many(host, operator_api, django_assert_max_num_queries):
    for number in range(30):
        difference(host, label=f"v{number}")
    with django_assert_max_num_queries(10):
        assert len(operator_api.get("/differences").json()["results"]) == 30


def test_saying_what_can_be_done_about_many_costs_no_more(host, admin_api, django_assert_max_num_queries):
    for number in range(30):
        difference(host, label=f"v{number}", kind="filter-missing", object_type="guest", object_id=uuid.uuid4())
    with django_assert_max_num_queries(10):
        rows = admin_api.get("/differences").json()["results"]
    repairs = {one["reason"] for row in rows for one in row["actions"] if one["action"] == "repair"}
    assert (len(rows), repairs) == (30, {"The panel has no server here that could be repaired."})


def test_customers_see_none_and_operators_change_none(host, owner_api, operator_api, billing_api):
    row = difference(host)
    assert owner_api.get("/differences").status_code == 403
    assert billing_api.get(f"/differences/{row.pk}").status_code == 403
    shown = operator_api.get(f"/differences/{row.pk}").json()
    assert {action["reason"] for action in shown["actions"]} == {"Your role does not allow this."}
    assert operator_api.post(f"/differences/{row.pk}/actions/ignore", {"reason": "x"}).status_code == 403
    row.refresh_from_db()
    assert row.state == "open"


def test_ignoring_takes_a_reason_and_is_audited(host, admin_api):
    row = difference(host)
    path = f"/differences/{row.pk}/actions/ignore"
    assert admin_api.post(path, {}).status_code == 400
    answer = admin_api.post(path, {"reason": "The monitoring's own"})
    assert (answer.status_code, answer.json()["difference"]["state"]) == (200, "ignored")
    assert answer.json()["difference"]["ignored_reason"] == "The monitoring's own"
    entry = AuditEntry.objects.get(action="difference.ignored")
    assert (entry.object_label, entry.changes) == (
        "Volume without owner: old.qcow2", {"reason": [None, "The monitoring's own"]},
    )  # fmt: skip
    assert admin_api.post(path, {"reason": "again"}).status_code == 409


def test_releasing_a_volume_needs_its_name(host, admin_api):
    row = difference(host)
    path = f"/differences/{row.pk}/actions/release"
    refused = admin_api.post(path, {})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "confirm")
    assert Job.objects.count() == 0
    answer = admin_api.post(path, {"confirm": "old.qcow2"})
    assert (answer.status_code, answer.json()["job"]["action"]) == (202, "volume.release")
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['job']['id']}"
    assert admin_api.post(path, {"confirm": "old.qcow2"}).status_code == 409


def test_releasing_an_address_is_done_at_once(host, admin_api):
    network = stock.network_make(host)
    address = IPAddress.objects.filter(network=network, family=4)[0]
    IPAddress.objects.filter(pk=address.pk).update(owner_id=uuid.uuid4())
    row = difference(host, kind="address-without-guest", object_type="address", object_id=address.pk, label="x")
    answer = admin_api.post(f"/differences/{row.pk}/actions/release", {})
    assert (answer.status_code, answer.json()["difference"]["closed_how"]) == (200, "released")
    address.refresh_from_db()
    assert address.owner_id is None


@pytest.mark.parametrize("action", ["repair", "adopt"])
def test_what_makes_no_sense_is_refused_with_a_reason(host, customer, admin_api, action):
    row = difference(host)
    body = {"customer": str(customer.pk)} if action == "adopt" else {}
    shown = {one["action"]: one for one in admin_api.get(f"/differences/{row.pk}").json()["actions"]}
    answer = admin_api.post(f"/differences/{row.pk}/actions/{action}", body)
    assert (answer.status_code, answer.json()["detail"]) == (409, shown[action]["reason"])
    assert not shown[action]["allowed"]


def test_an_unknown_customer_or_network_is_named(host, customer, admin_api):
    row = difference(host, kind="domain-without-guest", object_id=uuid.uuid4())
    answer = admin_api.post(f"/differences/{row.pk}/actions/adopt", {"customer": str(uuid.uuid4())})
    assert [one["field"] for one in answer.json()["errors"]] == ["customer"]
    nic = {"mac": "52:54:00:00:00:01", "network": str(uuid.uuid4())}
    answer = admin_api.post(f"/differences/{row.pk}/actions/adopt", {"customer": str(customer.pk), "nics": [nic]})
    assert [one["field"] for one in answer.json()["errors"]] == ["nics.52:54:00:00:00:01"]


def test_root_of_the_host_has_to_be_accepted(host, customer, admin_api, operator_api):
    network = stock.network_make(host)
    address = IPAddress.objects.filter(network=network, owner_id=None, family=4)[0].address
    root = {
        "target": "/", "kind": "filesystem", "source": "directory", "path": "/srv/ns/rootfs", "format": "raw",
        "capacity_bytes": 0, "read_only": False, "volume": None,
    }  # fmt: skip
    found = {
        "name": "ns", "running": True, "persistent": True, "ours": False, "vcpus": 1, "memory_mib": 64,
        "user_namespace": False, "disks": [root],
        "nics": [{"mac": "52:54:00:99:99:99", "bridge": network.bridge, "addresses": [address]}],
    }  # fmt: skip
    row = difference(host, kind="domain-without-guest", host_type="lxc", object_id=uuid.uuid4(), found=found)
    HostConnection.objects.get_or_create(host=host, host_type="lxc", defaults={"uri": "lxc:///"})
    path, body = f"/differences/{row.pk}/actions/adopt", {"customer": str(customer.pk)}
    answer = admin_api.post(path, body)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (400, ["accept_host_root"])
    assert answer.json()["errors"][0]["message"] == HOST_ROOT
    assert not Guest.objects.filter(pk=row.about_id).exists()
    assert operator_api.post(path, {**body, "accept_host_root": True}).status_code == 403
    answer = admin_api.post(path, {**body, "accept_host_root": True})
    assert (answer.status_code, answer.json()["guest"]["disk_gib"]) == (202, 0)
    (pool,) = (one for one in admin_api.get("/pools").json()["results"] if one["path"] == "/")
    assert (pool["left_alone"], pool["used_gib"]) == (True, 0)


def test_a_xen_server_of_somebody_elses_is_refused(host, customer, admin_api):
    row = difference(host, kind="domain-without-guest", host_type="xen", object_id=uuid.uuid4(), found={"ours": False})
    answer = admin_api.post(f"/differences/{row.pk}/actions/adopt", {"customer": str(customer.pk)})
    said = "A Xen server that the panel has not made cannot be taken over."
    assert (answer.status_code, answer.json()["detail"]) == (409, said)
