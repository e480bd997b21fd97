"""No view calls a hypervisor: every driver call raises while all views are walked, with requests that are accepted."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.simulated import SimulatedDriver
from hosts.drivers.types import HostType
from hosts.models import IPAddress, Network
from panel.core.models import JobStatus
from panel.pages.urls import PAGES
from tests import factories, stock
from tests.api.world import World, world_make
from tests.architecture.routes import Route, api_routes
from vms.models import Difference, Guest

pytestmark = pytest.mark.django_db
STREAM = "events"  # answers through the ASGI server only; it reads nothing but Redis
# Of people and their sessions alone; the world has no such state, and no host comes into it.
REFUSED = {"me-stop-acting", "customer-act-for", "member-set-password-link"}
WHEN_ON = ("shutdown", "stop", "reboot", "reset")
RUNNING = {f"{who}-{verb}" for who in ("guest", "guests") for verb in WHEN_ON}
GUEST = {"name": "new", "host_type": "kvm", "image": "other"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("customers", "POST"): {"name": "New"},
    ("members", "POST"): {"email": "new@example.com", "role": "viewer"},
    ("member", "PATCH"): {"role": "member"},
    ("users", "POST"): {"email": "new@example.com", "staff_role": "operator"},
    ("ssh-keys", "POST"): {"name": "new", "public_key": factories.ED25519},
    ("ssh-key", "PATCH"): {"name": "other"},
    ("tokens", "POST"): {"name": "new"},
    ("clients", "POST"): {"name": "new", "role": "billing"},
    ("host", "PATCH"): {"cpu_overcommit": "2"},
    ("pool", "PATCH"): {"overcommit": "1.5"},
    ("networks", "POST"): {
        "name": "new",
        "kind": "routed",
        "bridge": "brnew",
        "cidr_v4": "10.255.0.0/24",
        "gateway_v4": "10.255.0.1",
    },
    ("network", "PATCH"): {"name": "other"},
    ("guests", "POST"): {**GUEST, "plan": "other"},
    ("guest", "PATCH"): {"name": "other"},
    ("guest-rebuild", "POST"): {"image": "other"},
    ("guest-resize", "POST"): {"plan": "other"},
    ("plans", "POST"): {
        "slug": "new",
        "name": "New",
        "host_types": ["kvm"],
        "vcpus": 1,
        "memory_mib": 512,
        "disk_gib": 10,
        "price_monthly": "4.90",
        "price_hourly": "0.008",
    },
    ("subscriptions", "POST"): {"plan": "other", "guest": GUEST},
    ("difference-ignore", "POST"): {"reason": "a test of mine"},
    ("subscription-suspend", "POST"): {"reason": "unpaid"},
    ("subscription-change-plan", "POST"): {"plan": "other"},
}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every call of every driver raise, and obtaining one too. Returns the names of those that were tried."""
    tried: list[str] = []

    def forbidden(name: str) -> Callable[..., Any]:
        def call(*_: Any, **__: Any) -> Any:
            tried.append(name)
            raise AssertionError(f"a request called {name}")

        return call

    for kind in (SimulatedDriver, LibvirtDriver):
        for name in HypervisorDriver.__abstractmethods__:
            monkeypatch.setattr(kind, name, forbidden(f"{kind.__name__}.{name}"))
    monkeypatch.setattr(registry, "driver_of", forbidden("registry.driver_of"))
    return tried


@pytest.fixture
def world(db) -> World:
    """One of everything, on a host with a driver; and an image and a plan to change to."""
    world = world_make()
    Guest.objects.update(disk_gib=2)
    stock.image_make(slug="other")
    stock.plan_make(slug="other", vcpus=2)
    return world


def _found(world: World) -> dict[str, Any]:
    """A domain as a host has described it, on the world's network."""
    network = Network.objects.get(pk=world.objects["network_id"])
    address = IPAddress.objects.filter(network=network, owner_id=None, family=4)[0].address
    disk = {
        "target": "vda", "kind": "disk", "source": "file", "path": "/var/lib/old/disk.qcow2", "format": "qcow2",
        "capacity_bytes": 1, "read_only": False, "volume": None,
    }  # fmt: skip
    nic = {"mac": "52:54:00:99:99:99", "bridge": network.bridge, "addresses": [address]}
    size = {"vcpus": 1, "memory_mib": 64, "disks": [disk], "nics": [nic]}
    return {"name": "old", "running": True, "persistent": True, "ours": False, **size}


def prepared(world: World, route: Route, method: str) -> None:
    """Bring the world's things into the state in which the request is accepted."""
    row = Difference.objects.filter(pk=world.objects["difference_id"])
    if route.name == "difference-release":
        row.update(kind="address-without-guest", object_type="address", object_id=uuid.uuid4())
    if route.name == "difference-adopt":
        row.update(kind="domain-without-guest", object_id=uuid.uuid4(), found=_found(world))
    if route.name in RUNNING:
        Guest.objects.update(power_state="running", power_wanted="on")
    if route.name == "job-retry":
        failed = factories.job_make(action="guest.start", guest_id=world.objects["guest_id"], status=JobStatus.ERROR)
        world.objects = world.objects | {"job_id": failed.pk}
    if (route.name, method) == ("customer", "DELETE"):
        world.objects = world.objects | {"customer_id": factories.customer_make().pk}
    if (route.name, method) == ("ssh-keys", "POST"):
        world.callers["owner"].delete(f"/ssh-keys/{world.objects['key_id']}")


def walk(world: World, role: str) -> Iterator[tuple[str, int]]:
    """Send every request there is, undo what it did, and yield its name and the answer's status."""
    objects = world.objects
    for route in api_routes():
        for method in sorted(route.handled if route.name != STREAM else ()):
            with transaction.atomic():
                prepared(world, route, method)
                body = BODIES.get((route.name, method), {}) if method not in ("GET", "DELETE") else None
                if route.name.startswith("guests-"):
                    body = {"guests": [str(objects["guest_id"])]}
                if route.name == "difference-adopt" and body is not None:
                    body = {"customer": str(objects["customer_id"])}
                if route.name in ("guests", "subscriptions", "ssh-keys") and body:
                    body = {**body, "customer": str(objects["customer_id"])}
                query = {"search": {"q": "web"}, "guest-sparklines": {"ids": world.objects["guest_id"]}}
                path, asked = route.path(world.objects), query.get(route.name, {})
                answer = world.callers[role].call(method, path, body, **asked)
                transaction.set_rollback(True)
            world.objects = objects
            yield f"{method} {route.name}", answer.status_code


def test_no_view_of_the_api_calls_a_driver(world, called):
    """As an administrator, who may do everything, so every view comes to its end; a refusal would prove nothing."""
    answers = dict(walk(world, "admin"))
    refused = {name: status for name, status in answers.items() if status >= 300 and name.split()[1] not in REFUSED}
    assert refused == {}
    assert called == []


@pytest.mark.parametrize("role", ["owner", "operator", "billing"])
def test_nor_for_others_than_administrators(world, called, role):
    assert [answer for answer in walk(world, role) if answer[1] >= 500] == []
    assert called == []


def test_no_page_calls_a_driver(world, called, client):
    client.force_login(factories.staff_make())
    ids = {"customer": "customer_id", "host": "host_id", "network": "network_id", "job": "job_id"}
    for page in PAGES:
        named = {"id": world.objects[ids.get(page.name, "guest_id")]} if "<uuid:id>" in page.path else {}
        assert client.get(reverse(f"page-{page.name}", kwargs=named)).status_code == 200, page.name
    for path in ("/", "/healthz", "/readyz", "/metrics", "/accounts/password/change/"):
        assert client.get(path).status_code < 500, path
    assert called == []


def test_a_view_that_calls_a_driver_is_found_out(world, called, monkeypatch):
    """Also one that hides the driver's exception."""
    route = next(route for route in api_routes() if route.name == "host")
    answer_of = route.view.get

    def get(view: Any, request: Any, host_id: Any) -> Any:
        with contextlib.suppress(Exception):
            registry.driver_for(host_id, "kvm").load()
        with contextlib.suppress(Exception):
            SimulatedDriver(HostType.KVM, "simulated:///nobody?socket=/nowhere").load()
        return answer_of(view, request, host_id)

    monkeypatch.setattr(route.view, "get", get)
    assert ("GET host", 200) in list(walk(world, "admin"))
    assert called == ["registry.driver_of", "SimulatedDriver.load"]
