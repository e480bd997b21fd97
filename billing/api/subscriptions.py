"""HTTP for subscriptions: what a billing system calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors
from billing.api.dry_run import DRY_RUN, QuoteOut, is_dry_run, quote_response
from billing.api.inputs import ChangePlanIn, SubscriptionIn, SuspendIn, UnsuspendIn
from billing.api.outputs import STATUSES, OrderAnswerOut, SubscriptionAnswerOut, SubscriptionOut, subscription_json
from billing.models import Subscription
from billing.services import subscriptions as services
from billing.services.orders import subscription_order, subscription_quote
from hosts.api.filters import page_of, parameter, sort_parameter
from panel.core.api.input import EmptyIn, StrictSerializer
from panel.core.api.job_json import job_json
from panel.core.api.paging import page
from panel.core.api.query import choice_param, text_param, uuid_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView, parsed, with_etag
from panel.core.models import Job
from panel.core.permissions import Permission
from vms.api.serializers import guest_json
from vms.selectors import guest_get_for, with_details

ORDER = OpenApiExample(
    "An order",
    value={
        "customer_external_id": "client-1001",
        "plan": "small",
        "external_id": "order-5005",
        "guest": {
            "name": "web-1.example.com",
            "host_type": "kvm",
            "image": "debian-12",
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KBBuN2OZkU8eC5RFw0lgEkB0BQzHGyCkCHgfJ0qbv me"],
        },
    },
    request_only=True,
)


FILTERS = ("customer", "customer_external_id", "external_id", "plan", "guest", "status")


def answered(view: PanelView, subscription_id: UUID, job: Job | None, *, status: int, **more: Any) -> Response:
    """Return a subscription, its guest, and the job that works on it, if any."""
    subscription = selectors.subscription_get_for(view.actor, subscription_id)
    assert subscription.guest_id is not None  # noqa: S101 - set in the transaction that made the row
    guest = with_details([guest_get_for(view.actor, subscription.guest_id)])[0]
    body = {
        "subscription": subscription_json(subscription),
        "guest": guest_json(guest, view.actor),
        "job": job_json(Job.objects.prefetch_related("resources").get(pk=job.pk), view.actor) if job else None,
        **more,
    }
    headers = {"Location": f"/api/v1/jobs/{job.pk}"} if job else {}
    return Response(body, status=status, headers=headers)


_ANSWERED_BEFORE = PolymorphicProxySerializer(
    component_name="OrderOrQuoteOut", serializers=[OrderAnswerOut, QuoteOut], resource_type_field_name=None
)


class SubscriptionListView(PanelView):
    """``/subscriptions``."""

    permissions = {"GET": Permission.SUBSCRIPTION_VIEW, "POST": Permission.SUBSCRIPTION_MANAGE}
    write_params = ("dry_run",)

    @extend_schema(
        operation_id="subscription_list",
        summary="List subscriptions",
        parameters=[
            parameter("customer", "Only this customer's.", schema=UUID),
            parameter("customer_external_id", "Only those of the customer with this id of yours."),
            parameter("external_id", "Only the one with this id of yours."),
            parameter("plan", "Only those on this plan (slug)."),
            parameter("guest", "Only this guest's.", schema=UUID),
            parameter("status", "Only those in this status.", enum=STATUSES),
            sort_parameter("created_at", default="-created_at"),
            *PAGING,
        ],
        responses=page_of(SubscriptionOut),
    )
    def get(self, request: Request) -> Response:
        """Contracts that you may see, newest first, ended ones too."""
        rows = selectors.subscription_list_for(self.actor)
        fields = {"customer_external_id": "customer__external_id", "external_id": "external_id", "plan": "plan__slug"}
        for name, column in fields.items():
            if (value := text_param(request, name)) is not None:
                rows = rows.filter(**{column: value})
        for name in ("customer", "guest"):
            if (wanted := uuid_param(request, name)) is not None:
                rows = rows.filter(**{f"{name}_id": wanted})
        if status := choice_param(request, "status", STATUSES):
            rows = selectors.subscriptions_in_status(rows, status)
        return page(request, rows, show=subscription_json, sorts={"created_at": "created_at"}, filters=FILTERS)

    @extend_schema(
        operation_id="subscription_create",
        summary="Order a subscription",
        parameters=[DRY_RUN],
        request=SubscriptionIn,
        responses={202: OrderAnswerOut, 200: _ANSWERED_BEFORE},
        examples=[ORDER],
    )
    def post(self, request: Request) -> Response:
        """Orders a server for a customer. The answer has the guest with its addresses; the job builds it. The same
        body with the same `external_id` again, also at the same moment, answers 200 with what the first one gave
        (without `root_password`); another body with that `external_id` is 409 `external_id_conflict`.
        """
        order = parsed(SubscriptionIn, request)
        if is_dry_run(request):
            return quote_response(subscription_quote(actor=self.actor, order=order))
        made = subscription_order(actor=self.actor, order=order)
        assert made.subscription is not None  # noqa: S101 - this order always makes one
        more = {"root_password": made.root_password} if made.root_password else {}
        return answered(self, made.subscription.pk, made.job, status=202 if made.created else 200, **more)


class SubscriptionView(PanelView):
    """``/subscriptions/{id}``."""

    permissions = {"GET": Permission.SUBSCRIPTION_VIEW}

    @extend_schema(operation_id="subscription_get", summary="Get a subscription", responses=SubscriptionOut)
    def get(self, request: Request, subscription_id: UUID) -> Response:
        """One subscription."""
        found = selectors.subscription_get_for(self.actor, subscription_id)
        return with_etag(Response(subscription_json(found)), found.version)


class SubscriptionActionView(PanelView, ABC):
    """The base of ``/subscriptions/{id}/actions/…``: what may be sent (``body``), and what it does (``act``)."""

    permissions = {"POST": Permission.SUBSCRIPTION_MANAGE}
    body: type[StrictSerializer] = EmptyIn

    def must_see(self) -> None:
        selectors.subscription_get_for(self.actor, self.kwargs["subscription_id"])

    @abstractmethod
    def act(self, subscription: Subscription, body: dict[str, Any]) -> services.Outcome:
        """Do it."""

    def post(self, request: Request, subscription_id: UUID) -> Response:
        """Answer 202 when something was started, 200 when it was so already."""
        subscription = selectors.subscription_get_for(self.actor, subscription_id)
        self.actor.require(Permission.SUBSCRIPTION_MANAGE, subscription.customer_id)
        outcome = self.act(subscription, parsed(self.body, request))
        return answered(self, subscription.pk, outcome.job, status=202 if outcome.started else 200)


def described(
    verb: str, summary: str, text: str, *, body: type[StrictSerializer], examples: dict[str, dict[str, Any]]
) -> Callable[[type[SubscriptionActionView]], type[SubscriptionActionView]]:
    """Return the decorator that gives an action's view its body and its place in OpenAPI."""
    operation = extend_schema(
        operation_id=f"subscription_{verb}",
        summary=summary,
        description=text,
        request=body,
        responses={202: SubscriptionAnswerOut, 200: SubscriptionAnswerOut},
        examples=[OpenApiExample(name, value=value, request_only=True) for name, value in examples.items()],
    )

    def decorate(view: type[SubscriptionActionView]) -> type[SubscriptionActionView]:
        view.body = body
        return extend_schema_view(post=operation)(view)

    return decorate


@described(
    "suspend",
    "Suspend a subscription",
    "Withholds service: the server is stopped and its owner cannot start it. Reasons are a set; each is taken away by "
    "its own. 200 when this reason is set already, also while the first try still runs.",
    body=SuspendIn,
    examples={"Not paid": {"reason": "payment"}},
)
class SubscriptionSuspendView(SubscriptionActionView):
    """``…/suspend``."""

    def act(self, subscription: Subscription, body: dict[str, Any]) -> services.Outcome:
        return services.subscription_suspend(actor=self.actor, subscription=subscription, **body)


@described(
    "unsuspend",
    "Unsuspend a subscription",
    "Takes one reason away, or all. With the last one the server starts again if it ran when it was suspended: 202. "
    "200 when there is nothing to start.",
    body=UnsuspendIn,
    examples={"It was paid": {"reason": "payment"}, "All reasons": {}},
)
class SubscriptionUnsuspendView(SubscriptionActionView):
    """``…/unsuspend``."""

    def act(self, subscription: Subscription, body: dict[str, Any]) -> services.Outcome:
        return services.subscription_unsuspend(actor=self.actor, subscription=subscription, **body)


@described(
    "change_plan",
    "Change the plan",
    "Gives a stopped server another plan's size. Disks only grow. 200 when it is on the plan already, also while the "
    "first try still runs.",
    body=ChangePlanIn,
    examples={"A larger one": {"plan": "medium"}},
)
class SubscriptionChangePlanView(SubscriptionActionView):
    """``…/change-plan``."""

    def act(self, subscription: Subscription, body: dict[str, Any]) -> services.Outcome:
        plan = selectors.plan_chosen(self.actor, body["plan"])
        return services.subscription_change_plan(actor=self.actor, subscription=subscription, plan=plan)


@described(
    "terminate",
    "Terminate a subscription",
    "Ends the contract now and deletes the server with its disks, also a suspended one; nothing can bring them back. "
    "200 when it is so already, also while the first try still runs.",
    body=EmptyIn,
    examples={"No body is needed": {}},
)
class SubscriptionTerminateView(SubscriptionActionView):
    """``…/terminate``."""

    def act(self, subscription: Subscription, body: dict[str, Any]) -> services.Outcome:
        return services.subscription_terminate(actor=self.actor, subscription=subscription)
