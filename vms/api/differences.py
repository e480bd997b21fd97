"""HTTP for differences. Taking a domain over is billing's door (``billing.api.adoption``): a plan may come with it."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import EmptyIn, StrictSerializer
from panel.core.api.job_json import job_json
from panel.core.api.paging import page
from panel.core.api.query import choice_param, uuid_param
from panel.core.api.schema import list_parameters, page_of
from panel.core.api.views import PanelView, parsed, with_etag
from panel.core.models import Job
from panel.core.permissions import Permission
from vms import selectors
from vms.api.difference_json import EVERY_STATE, STATES, DifferenceOut, DifferenceSettledOut, difference_json
from vms.models import Difference, DifferenceKind, DifferenceState, Severity
from vms.services.reconcile import actions

SORTS = {"created_at": "created_at"}
FILTERS = ("host", "kind", "severity", "state")


class DifferenceListView(PanelView):
    """``/differences``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="difference_list",
        summary="List differences",
        parameters=list_parameters(
            SORTS,
            OpenApiParameter("host", UUID, description="Only on this host."),
            OpenApiParameter("kind", str, enum=DifferenceKind.values),
            OpenApiParameter("severity", str, enum=Severity.values),
            OpenApiParameter("state", str, enum=STATES, description="Without it: open and suspected ones."),
        ),
        responses=page_of(DifferenceOut),
    )
    def get(self, request: Request) -> Response:
        """On what the panel, its hosts and billing do not agree, the newest first. Staff only."""
        rows = selectors.difference_list_for(self.actor)
        exact = {
            "host_id": uuid_param(request, "host"),
            "kind": choice_param(request, "kind", DifferenceKind.values),
            "severity": choice_param(request, "severity", Severity.values),
        }
        rows = rows.filter(**{name: value for name, value in exact.items() if value is not None})
        state = choice_param(request, "state", STATES)
        if state is None:
            rows = rows.filter(state__in=(DifferenceState.OPEN, DifferenceState.SUSPECTED))
        elif state != EVERY_STATE:
            rows = rows.filter(state=state)
        return page(request, rows, show=lambda row: difference_json(row, self.actor), sorts=SORTS, filters=FILTERS)


class DifferenceView(PanelView):
    """``/differences/{id}``."""

    permissions: dict[str, Permission | None] = {"GET": Permission.FLEET_VIEW}

    @extend_schema(operation_id="difference_get", summary="Get a difference", responses=DifferenceOut)
    def get(self, request: Request, difference_id: UUID) -> Response:
        """One difference: what the panel has, what was seen, since when, and what can be done about it."""
        row = selectors.difference_get_for(self.actor, difference_id)
        return with_etag(Response(difference_json(row, self.actor)), row.version)


class IgnoreIn(StrictSerializer):
    """Why it is left as it is."""

    reason = serializers.CharField(max_length=255)


class ReleaseIn(StrictSerializer):
    """Where data would be lost: the label, typed."""

    confirm = serializers.CharField(required=False, allow_blank=True, max_length=255, default="")


class DifferenceActionView(PanelView):
    """The base of ``/differences/{id}/actions/…``."""

    permissions = {"POST": Permission.FLEET_MANAGE}

    def difference(self, difference_id: UUID) -> Difference:
        """Return the difference."""
        return selectors.difference_get_for(self.actor, difference_id)

    def done(self, settled: actions.Settled) -> Response:
        """Return 200, or 202 with a job."""
        row = selectors.difference_get_for(self.actor, settled.difference.pk)
        body: dict[str, Any] = {
            "difference": difference_json(row, self.actor),
            "job": None,
            "takes_effect": settled.takes_effect,
        }
        if settled.job is None:
            return Response(body)
        job = Job.objects.prefetch_related("resources").get(pk=settled.job.pk)
        body["job"] = job_json(job, self.actor)
        return Response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class DifferenceRepairView(DifferenceActionView):
    """``…/repair``."""

    @extend_schema(
        operation_id="difference_repair",
        summary="Repair a difference",
        request=EmptyIn,
        responses={200: DifferenceSettledOut, 202: DifferenceSettledOut},
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Brings the host back to what the panel has; no server is stopped for it. What a running server takes only
        when it starts is set for its next start, and `takes_effect` says so. A wrong total is set at once (200). Of a
        host that knows none of its guests all are defined again, as fast as the limiter lets: `job` is the first
        one, null when none could begin yet. Of `automatic-stopped` all that waits for the limiter is done now, as your
        request, up to 200 guests at a time: suspended ones are stopped, deletions tried anew. `found` says how many.
        """
        parsed(EmptyIn, request)
        return self.done(actions.difference_repair(actor=self.actor, difference=self.difference(difference_id)))


class DifferenceReleaseView(DifferenceActionView):
    """``…/release``."""

    @extend_schema(
        operation_id="difference_release",
        summary="Release what a difference is about",
        request=ReleaseIn,
        responses={200: DifferenceSettledOut, 202: DifferenceSettledOut},
        examples=[OpenApiExample("A volume", value={"confirm": "old-disk.qcow2"}, request_only=True)],
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Gives an address back (200), or deletes a volume that nobody owns (202): its label has to be sent as
        `confirm`, and the job looks once more whether anybody uses it.
        """
        confirm = parsed(ReleaseIn, request)["confirm"]
        row = self.difference(difference_id)
        return self.done(actions.difference_release(actor=self.actor, difference=row, confirm=confirm))


class DifferenceIgnoreView(DifferenceActionView):
    """``…/ignore``."""

    @extend_schema(
        operation_id="difference_ignore",
        summary="Ignore a difference",
        request=IgnoreIn,
        responses=DifferenceSettledOut,
        examples=[OpenApiExample("With a reason", value={"reason": "The monitoring's own"}, request_only=True)],
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Leaves it as it is, with who and why. It comes back when the difference changes."""
        reason = parsed(IgnoreIn, request)["reason"]
        row = self.difference(difference_id)
        return self.done(actions.difference_ignore(actor=self.actor, difference=row, reason=reason))
