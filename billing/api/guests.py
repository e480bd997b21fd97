"""HTTP for ordering, resizing and deleting guests: what costs money, on top of ``vms.api``."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors
from billing.api.dry_run import DRY_RUN, QuoteOut, is_dry_run, quote_response, read_order
from billing.api.inputs import OwnGuestOrderIn, ResizeIn
from billing.api.outputs import GuestOrderAnswerOut, subscription_json
from billing.services.orders import guest_order, guest_quote
from billing.services.resizing import guest_resize_by_owner
from billing.services.subscriptions import guest_terminate
from panel.core.api.job_json import JobOut, job_json
from panel.core.api.views import check_if_match, parsed
from panel.core.errors import NotFoundError
from panel.core.models import Job
from panel.core.permissions import Permission
from vms.api import views
from vms.api.serializers import AcceptedOut
from vms.states import Lifecycle

EXAMPLES = [
    OpenApiExample(
        "A server on a plan",
        value={
            "name": "web-1",
            "host_type": "kvm",
            "plan": "small",
            "image": "debian-12",
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KBBuN2OZkU8eC5RFw0lgEkB0BQzHGyCkCHgfJ0qbv me"],
        },
        request_only=True,
    ),
    OpenApiExample(
        "Staff: a size of its own, for the house",
        value={
            "name": "ns-1", "host_type": "lxc", "vcpus": 1, "memory_mib": 256, "disk_gib": 4, "image": "micro",
        },
        request_only=True,
    ),
]  # fmt: skip


class GuestOrderView(views.GuestListView):
    """``/guests``: the list, and orders."""

    permissions = {**views.GuestListView.permissions, "POST": Permission.GUEST_CREATE}
    write_params = ("dry_run",)

    @extend_schema(
        operation_id="guest_create",
        summary="Order a guest",
        parameters=[DRY_RUN],
        request=OwnGuestOrderIn,
        responses={202: GuestOrderAnswerOut, 200: QuoteOut},
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """Takes an address and room at once and answers with both; the job builds the server. Owners order a
        `plan`; staff may give `vcpus`, `memory_mib` and `disk_gib`, a `host` and a `customer`. `root_password` is
        in the answer only when one was made, once.
        """
        if is_dry_run(request):
            order, errors = read_order(OwnGuestOrderIn, request)
            return quote_response(guest_quote(actor=self.actor, order=order, errors=errors))
        made = guest_order(actor=self.actor, order=parsed(OwnGuestOrderIn, request))
        assert made.job is not None  # noqa: S101 - a new order has one
        more: dict[str, Any] = {"root_password": made.root_password} if made.root_password else {}
        more["subscription"] = None
        if made.subscription is not None:
            full = selectors.subscription_get_for(self.actor, made.subscription.pk)
            more["subscription"] = subscription_json(full)
        return views.accepted(made.guest, made.job, self, **more)


class GuestEndView(views.GuestDetailView):
    """``/guests/{id}``: what ``vms.api`` has, and its end."""

    permissions = {**views.GuestDetailView.permissions, "DELETE": Permission.GUEST_DELETE}

    @extend_schema(
        operation_id="guest_delete",
        summary="Delete a guest",
        request=None,
        responses={202: inline_serializer("JobAccepted", fields={"job": JobOut()})},
    )
    def delete(self, request: Request, guest_id: UUID) -> Response:
        """Deletes it with its disks; nothing can bring them back. Its subscription ends now, also while another
        job is at work on it: that one is asked to stop. Asking again answers with the same job.
        """
        guest = self.guest(guest_id, Permission.GUEST_DELETE, lock=True)
        if guest.lifecycle == Lifecycle.DELETED:
            raise NotFoundError("There is no such server.")
        check_if_match(request, guest.version)
        job = guest_terminate(actor=self.actor, guest=guest)
        shown = Job.objects.prefetch_related("resources").get(pk=job.pk)
        body = {"job": job_json(shown, self.actor)}
        return Response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class GuestResizeView(views.GuestActionView):
    """``/guests/{id}/actions/resize``."""

    permissions = {"POST": Permission.GUEST_RESIZE}

    @extend_schema(
        operation_id="guest_resize",
        summary="Change a guest's size",
        request=ResizeIn,
        responses={202: AcceptedOut},
        examples=[OpenApiExample("Another plan", value={"plan": "medium"}, request_only=True)],
    )
    def post(self, request: Request, guest_id: UUID) -> Response:
        """Gives a stopped guest another plan, and its subscription the new price. Disks only grow. Staff may give
        sizes instead; the price stays then.
        """
        guest = self.guest(guest_id, Permission.GUEST_RESIZE)
        job = guest_resize_by_owner(actor=self.actor, guest=guest, wanted=parsed(ResizeIn, request))
        return views.accepted(guest, job, self)
