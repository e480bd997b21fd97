"""JSON types are taken at their word."""

import pytest

from tests.client import problem
from tests.stock import host_make, network_make, plan_make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("plans", {"price_hourly": 0}, "price_hourly"),
        ("plans", {"price_monthly": 4.9}, "price_monthly"),
        ("plans", {"vcpus": "2"}, "vcpus"),
        ("plans", {"vcpus": True}, "vcpus"),
        ("plans", {"bandwidth_required": 1}, "bandwidth_required"),
        ("plans", {"name": 7}, "name"),
        ("plans", {"host_types": "kvm"}, "host_types"),
        ("hosts", {"labels": {"rack": 7}}, "labels"),
        ("networks", {"enabled": 0}, "enabled"),
        ("networks", {"dns_servers": [9]}, "dns_servers"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_converted(admin_api, path, body, field):
    host = host_make()
    of = {"plans": plan_make(), "hosts": host, "networks": network_make(host)}[path]
    problem(admin_api.patch(f"/{path}/{of.pk}", body), 400, "invalid_input", field)
    before = of.version
    of.refresh_from_db()
    assert of.version == before
