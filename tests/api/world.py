"""One customer with one of everything, and a caller of each kind: what tests of every route need."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.models import Subscription
from hosts.models import Host
from tests import factories, stock
from tests.client import ApiUser
from vms.models import Difference, Guest


@dataclass
class World:
    """``objects`` by the name of the path parameter that takes them, ``callers`` by the name of their role."""

    objects: dict[str, Any]
    callers: dict[str, ApiUser]


def world_make() -> World:
    """Make the rows and the tokens."""
    customer = factories.customer_make()
    owner = factories.member_make(customer, "owner")
    users: dict[str, Any] = {role: factories.member_make(customer, role) for role in ("viewer", "member")} | {
        "owner": owner
    }
    other = factories.customer_make()
    users |= {f"other customer's {role}": factories.member_make(other, role) for role in ("viewer", "member", "owner")}
    users["operator"], users["admin"] = factories.staff_make("operator"), factories.staff_make("admin")
    users["billing"] = factories.client_make("billing")
    tokens = {role: factories.token_make(user) for role, user in users.items()}
    callers = {role: ApiUser(token.value) for role, token in tokens.items()}
    callers["anonymous"] = ApiUser()
    past = timezone.now() - timedelta(seconds=1)
    callers["expired"] = ApiUser(factories.token_make(owner, expires_at=past).value)
    callers["read-only"] = ApiUser(factories.token_make(owner, scope="read").value)
    return World({**_things(customer), "token_id": tokens["owner"].token.pk, "user_id": users["viewer"].pk}, callers)


def _difference(host: Host, guest: Guest) -> Difference:
    return Difference.objects.create(
        kind="wrong-size", severity="medium", key=f"wrong-size:{guest.pk}", host=host, host_type="kvm",
        object_id=guest.pk, object_type="guest", label=guest.name, last_seen_at=timezone.now(),
    )  # fmt: skip


def _things(customer) -> dict[str, Any]:
    host = stock.host_make()
    network = stock.network_make(host, addresses=10)
    image, plan = stock.image_make(), stock.plan_make()
    guest = stock.guest_make(customer, host=host, pool=host.pools.get(), image=image)
    subscription = Subscription.objects.create(customer=customer, plan=plan, guest=guest)
    return {
        "customer_id": customer.pk,
        "key_id": factories.ssh_key_make(customer).pk,
        "client_id": factories.client_make().pk,
        "job_id": factories.job_make(customer=customer).pk,
        "host_id": host.pk,
        "pool_id": host.pools.get().pk,
        "network_id": network.pk,
        "image": image.slug,
        "plan": plan.slug,
        "guest_id": guest.pk,
        "subscription_id": subscription.pk,
        "difference_id": _difference(host, guest).pk,
    }
