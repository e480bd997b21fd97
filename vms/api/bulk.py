"""``/guests/actions/{action}``: power for many guests in one request."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import StrictSerializer
from panel.core.api.job_json import JobOut, job_json
from panel.core.api.views import PanelView, parsed
from panel.core.models import Job
from panel.core.permissions import Permission
from vms import selectors
from vms.services.bulk import BULK_ACTIONS, LIMIT, guests_action_submit
from vms.states import RULES, GuestAction


class GuestsIn(StrictSerializer):
    """Which guests."""

    guests = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=LIMIT)


class RefusedOut(serializers.Serializer[Any]):
    """A guest that was left out."""

    guest = serializers.UUIDField()
    name = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField(help_text="Why: one sentence.")


class BulkOut(serializers.Serializer[Any]):
    """The job of many, and who was left out of it."""

    job = JobOut()
    refused = RefusedOut(many=True)


class GuestsActionView(PanelView):
    """``/guests/actions/{action}``: one route an action."""

    permissions = {"POST": Permission.GUEST_OPERATE}
    action: GuestAction = GuestAction.START

    def post(self, request: Request) -> Response:
        """Ask for it; follow the job at `Location`."""
        wanted = parsed(GuestsIn, request)["guests"]
        guests = selectors.guests_chosen(self.actor, wanted, field="guests")
        for guest in guests:
            self.actor.require(RULES[self.action].permission, guest.customer_id)
        outcome = guests_action_submit(actor=self.actor, guests=guests, action=self.action)
        job = Job.objects.prefetch_related("resources").get(pk=outcome.job.pk)
        refused = [
            {"guest": one.guest.pk, "name": one.guest.name, "code": one.code, "message": one.message}
            for one in outcome.refused
        ]
        body = {"job": job_json(job, self.actor), "refused": refused}
        return Response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


def bulk_view(action: GuestAction) -> Any:
    """Return the view of an action."""
    name = f"Guests{action.verb.capitalize()}View"
    described = extend_schema(
        operation_id=f"guests_{action.verb}",
        summary=f"{action.verb.capitalize()} many guests",
        description=f"Asks for `{action.verb}` of each of up to {LIMIT} guests of one customer, or of any for staff. "
        "The answer names one job whose children are the guests' own jobs (`GET /jobs?parent=`), and those that were "
        "left out, each with the reason. When all are left out nothing happens and the answer is 409.",
        request=GuestsIn,
        responses={202: BulkOut},
        examples=[
            OpenApiExample(
                "Two guests",
                value={"guests": ["0e6a9b4c-3c5e-4a86-9f0e-8b9b1f6f7c11", "c2c0ad1e-7d5b-4c7c-8f1d-1d6a3c1a8b27"]},
                request_only=True,
            )
        ],
    )

    def post(self: GuestsActionView, request: Request) -> Response:
        return GuestsActionView.post(self, request)

    return type(name, (GuestsActionView,), {"action": action, "post": described(post)}).as_view()  # type: ignore[attr-defined]


VIEWS = {action: bulk_view(action) for action in BULK_ACTIONS}
