"""Input that libraries stumble over: refused with the field's name, never a 500, and nothing is made."""

import json

import pytest

from tests import factories, stock
from tests.client import problem
from tests.stock import host_make, image_make, network_make, plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> dict:
    network_make(host_make())
    plan_make(slug="small")
    image_make(slug="micro")
    return {"name": "web-1", "host_type": "kvm", "plan": "small", "image": "micro"}


@pytest.mark.parametrize("name", ["a\n.example", "web.a\n", "a\n.b\n.c", "a\x0b.b", "web\u2028.example"])
def test_a_host_name_has_no_line_break(owner_api, order, name):
    said = owner_api.post("/guests", order | {"name": f"x.{name}.y"})
    problem(said, 400, "invalid_input", "name")
    assert not Guest.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "[" * 20_000, id="deep"),
        pytest.param("a: " + "9" * 5_000, id="a number of 5,000 digits"),
        pytest.param("a: !!int ''", id="a number without digits"),
        pytest.param("a: 2026-13-45", id="a day that is none"),
        pytest.param("a: !!timestamp x", id="a time that is none"),
        pytest.param("? [a]\n: b\n? {c: d}\n: e", id="a mapping as key"),
        pytest.param("a: !!float x", id="a float that is none"),
        pytest.param("a: !!bool x", id="a truth that is none"),
        pytest.param("a: &x [*x", id="not closed"),
        pytest.param("a: !!python/object:os.system x", id="a Python object"),
    ],
)
def test_user_data_that_yaml_cannot_make_is_refused(owner_api, order, text):
    said = owner_api.post("/guests", order | {"user_data": f"#cloud-config\n{text}\n"})
    assert problem(said, 400, "invalid_input", "user_data")["detail"].startswith("User-data is not valid YAML")
    assert not Guest.objects.exists()


def levels(form: str, count: int) -> str:
    """A mapping at the bottom, and on each level above nine times the one below: ``form`` has ``{}`` for these."""
    rows = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n} " + form.format(",".join(9 * [f"*a{n - 1}"])) for n in range(1, count)]
    return "\n".join(rows)


@pytest.mark.parametrize("form", ["{{<<: [{}]}}", "[{}]"], ids=["merges", "lists"])
def test_user_data_that_grows_by_aliases_is_refused_at_once(owner_api, order, form):
    said = owner_api.post("/guests", order | {"user_data": f"#cloud-config\n{levels(form, 40)}\n"}, dry_run="true")
    assert [row["message"] for row in said.json()["errors"]] == ["User-data repeats itself by aliases too often."]
    plain = f"#cloud-config\n{levels(form, 4)}\n"
    assert owner_api.post("/guests", order | {"user_data": plain}, dry_run="true").json()["errors"] == []


@pytest.mark.parametrize("label", ["a\x00b", "a\nb", "", "-a", "x" * 64, "\ud800"])
def test_labels_are_checked_alike_at_the_order_and_afterwards(owner_api, customer, order, label):
    guest = stock.guest_make(customer)
    for said in (
        owner_api.patch(f"/guests/{guest.pk}", {"labels": {label: "x"}}),
        owner_api.post("/guests", order | {"labels": {label: "x"}}),
    ):
        problem(said, 400, "invalid_input", "labels")
    guest.refresh_from_db()
    assert guest.labels == {}


def test_a_nul_in_a_label_is_refused(owner_api, customer):
    guest = stock.guest_make(customer)
    said = owner_api.patch(f"/guests/{guest.pk}", {"labels": {"a": "b\x00"}})
    assert [entry["field"] for entry in problem(said, 400, "invalid_input")["errors"]] == ["labels.a"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"host_type": "\ud800"}, "host_type"),
        ({"\ud800": 1}, "\\ud800"),
        ({"plan": "\udfff"}, "plan"),
        ({"labels": {"\ud800": "x"}}, "labels"),
    ],
)
def test_a_lone_surrogate_is_spelt_out_in_the_answer(owner_api, order, body, field):
    raw = json.dumps(order | body).encode()  # as \\ud800, which is legal JSON
    problem(owner_api.post("/guests", raw), 400, "invalid_input", field)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="deeper than the parser goes"),
        pytest.param(b"[" * 200 + b"]" * 200, id="deeper than any request"),
        pytest.param(b'{"name":' * 900 + b"1" + b"}" * 900, id="objects in objects"),
        pytest.param(b'{"vcpus": ' + b"9" * 5_000 + b"}", id="a number of 5,000 digits"),
        pytest.param(b'{"vcpus": NaN}', id="no number"),
        pytest.param(b'{"name": "\xff"}', id="not UTF-8"),
        pytest.param(b"{", id="not closed"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k1"}], ids=["", "with a key"])
def test_a_body_that_is_no_json_is_refused(owner_api, body, headers):
    answer = owner_api.call("POST", "/guests", body, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "parse_error"


def test_a_body_larger_than_any_request_is_not_read(owner_api):
    problem(owner_api.call("POST", "/guests", b'"' + b"x" * (2 << 20) + b'"'), 413, "body_too_large")


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/{job}/actions/cancel",
        "/jobs/{job}/actions/retry",
        "/customers/{customer}/actions/act-for",
        "/me/actions/stop-acting",
        "/users/{user}/actions/set-password-link",
        "/customers/{customer}/members/{user}/actions/set-password-link",
    ],
)
def test_actions_without_input_refuse_some(admin_api, customer, path):
    job = factories.job_make(customer=customer, status="error")
    user = factories.member_make(customer, "viewer")
    body = {"force": True}
    said = admin_api.post(path.format(job=job.pk, customer=customer.pk, user=user.pk), body)
    problem(said, 400, "invalid_input", "force")


@pytest.mark.parametrize(
    "path",
    ["guests", "subscriptions", "plans", "usage", "hosts", "pools", "networks", "addresses", "images", "customers",
     "users", "ssh-keys", "tokens", "clients", "jobs", "audit", "capacity"],
)  # fmt: skip
def test_a_filter_misspelt_is_refused(admin_api, path):
    problem(admin_api.get(f"/{path}", nmae="x"), 400, "invalid_input", "nmae")
    assert admin_api.get(f"/{path}").status_code == 200


def test_an_address_with_a_zone_is_no_address(admin_api, owner_api):
    zone = "fe80::1%eth0"
    assert owner_api.get("/guests", search=zone).json()["results"] == []
    assert admin_api.get("/addresses", search=zone).json()["results"] == []
    body = {"name": "n", "kind": "routed", "bridge": "br0", "cidr_v6": "fd00::/64", "gateway_v6": "fd00::1"}
    for field, value in (("gateway_v6", "fd00::1%x"), ("dns_servers", [zone]), ("reserved", ["fd00::5%x"])):
        said = admin_api.post("/networks", body | {field: value}).json()
        assert (said["status"], said["errors"][0]["field"].partition(".")[0]) == (400, field)
    assert admin_api.post("/networks", body).status_code == 201
