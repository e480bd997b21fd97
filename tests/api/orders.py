"""What the tests of orders share: their bodies, what they need to be there, and that nothing came of one."""

from typing import Any

from billing.models import Plan, Subscription
from hosts.models import Host, IPAddress
from panel.core.models import Customer, Job
from tests import factories
from tests.stock import host_make, image_make, network_make, plan_make
from vms.models import Guest, GuestSecret

ZERO = "00000000-0000-0000-0000-000000000000"


def stocked() -> Host:
    """Make all that an order needs: a host with room, a network and an image, and a plan. Returns the host."""
    host = host_make()
    network_make(host)
    image_make(slug="debian-12")
    plan_make(slug="small")
    return host


def guest(**changes: Any) -> dict[str, Any]:
    """Return a server as orders name it."""
    return {"name": "web-1", "host_type": "kvm", "image": "debian-12", "ssh_keys": [factories.ED25519], **changes}


def nothing_was_made() -> None:
    """Assert that no order left anything."""
    rows = (Guest, Subscription, Job, GuestSecret)
    assert [model.objects.count() for model in rows] == [0, 0, 0, 0]
    assert IPAddress.objects.filter(owner_id__isnull=False).count() == 0
    assert Host.objects.get().used_vcpus == 0
    assert set(Customer.objects.values_list("used_guests", flat=True)) <= {0}
    assert not Plan.objects.filter(sold_at__isnull=False).exists()
