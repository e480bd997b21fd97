"""Methods a route does not have, and HEAD."""

import pytest

from tests import stock
from tests.client import problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/customers/{customer}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("DELETE", "/guests", {"GET", "HEAD", "POST"}),
        ("GET", "/customers/{customer}/actions/act-for", {"POST"}),
        ("OPTIONS", "/me", {"GET", "HEAD", "PATCH"}),
        ("POST", "/audit", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_route_does_not_have_is_405_for_everybody(
    admin_api, viewer_api, stranger_api, customer, method, path, allowed
):
    for api in (admin_api, viewer_api, stranger_api):
        answer = api.call(method, path.format(customer=customer.pk))
        problem(answer, 405, "method_not_allowed")
        assert set(answer["Allow"].split(", ")) == allowed


def test_nobody_learns_of_methods_without_signing_in(anonymous):
    problem(anonymous.call("PUT", "/me"), 401, "not_authenticated")


def test_head_is_a_get_without_its_body(viewer_api, operator_api, customer):
    guest = stock.guest_make(customer)
    head, get = viewer_api.call("HEAD", f"/guests/{guest.pk}"), viewer_api.get(f"/guests/{guest.pk}")
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", get["ETag"])
    assert viewer_api.call("HEAD", "/hosts").status_code == 403
    assert operator_api.call("HEAD", "/hosts").status_code == 200
