"""``/jobs``: what was asked for and how far it is."""

from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import EmptyIn
from panel.core.api.job_json import JobOut, job_json
from panel.core.api.paging import page
from panel.core.api.query import choice_param, text_param, uuid_param
from panel.core.api.schema import list_parameters, page_of
from panel.core.api.views import PanelView, parsed, with_etag
from panel.core.cancelling import job_cancel_by
from panel.core.errors import InvalidInputError
from panel.core.job_details import with_details
from panel.core.models import JobStatus
from panel.core.permissions import Permission
from panel.core.retry import job_retry
from panel.core.selectors import customer_get_for, job_get_for, job_list_for

SORTS = {"created_at": "created_at"}
FILTERS = ("guest", "host", "customer", "parent", "status", "action", "active", "mine", "top")
MAX_WAIT_S = 25


class JobAnswerOut(serializers.Serializer[Any]):
    """The job an action led to."""

    job = JobOut()


def wait_param(request: Request) -> int:
    """Return ``?wait=`` in seconds, 0 when absent."""
    text = request.query_params.get("wait", "0")
    if not text.isascii() or not text.isdigit() or int(text) > MAX_WAIT_S:
        raise InvalidInputError(fields={"wait": f"Use a number of seconds from 0 to {MAX_WAIT_S}."})
    return int(text)


class JobListView(PanelView):
    """Jobs the caller sees."""

    permissions = {"GET": Permission.JOB_VIEW}

    @extend_schema(
        summary="List jobs",
        parameters=list_parameters(
            SORTS,
            OpenApiParameter("guest", UUID, description="Jobs that work or worked on this guest."),
            OpenApiParameter("host", UUID, description="Jobs on this host (staff)."),
            OpenApiParameter("customer", UUID, description="This customer's jobs."),
            OpenApiParameter("parent", UUID, description="Children of this job."),
            OpenApiParameter("status", str, enum=JobStatus.values),
            OpenApiParameter("action", str, description="Exactly this action, such as `guest.start`."),
            OpenApiParameter("active", str, enum=["true"], description="Only queued and running ones."),
            OpenApiParameter("top", str, enum=["true"], description="Only those that are not part of another one."),
            OpenApiParameter("mine", str, enum=["true"], description="Only those that you asked for."),
        ),
        responses=page_of(JobOut),
    )
    def get(self, request: Request) -> Response:
        rows = job_list_for(self.actor)
        if guest := uuid_param(request, "guest"):
            rows = rows.filter(resources__type="guest", resources__resource_id=guest)
        if host := uuid_param(request, "host"):
            rows = rows.filter(host_id=host) if self.actor.is_staff else rows.none()
        if customer := uuid_param(request, "customer"):
            rows = rows.filter(customer=customer_get_for(self.actor, customer))
        if parent := uuid_param(request, "parent"):
            rows = rows.filter(parent_id=parent)
        if status := choice_param(request, "status", JobStatus.values):
            rows = rows.filter(status=status)
        if action := text_param(request, "action"):
            rows = rows.filter(action=action)
        if choice_param(request, "active", ("true",)):
            rows = rows.filter(status__in=[JobStatus.QUEUED, JobStatus.RUNNING])
        if choice_param(request, "top", ("true",)):
            rows = rows.filter(parent__isnull=True)
        if choice_param(request, "mine", ("true",)):
            rows = rows.filter(actor_user=self.actor.user_id) if self.actor.user_id else rows.none()
        show = partial(job_json, actor=self.actor)
        return page(request, rows, show=show, sorts=SORTS, filters=FILTERS, prepare=with_details)


class JobDetailView(PanelView):
    """One job. With ``?wait=`` the ASGI application answers (``panel.core.api.live``), not this view."""

    permissions = {"GET": Permission.JOB_VIEW}

    @extend_schema(
        summary="Get a job",
        description="With `wait` the answer comes when the job has ended, at the latest after that many seconds; look "
        "at `status` and ask again.",
        parameters=[
            OpenApiParameter(
                "wait",
                {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0},
                description="Seconds to wait for the job's end.",
            )
        ],
        responses=JobOut,
        examples=[
            OpenApiExample(
                "A server being built",
                {
                    "id": "5b6f8f0e-5d0e-4f0b-8a53-8f7d3d1c2f6a",
                    "action": "guest.create",
                    "status": "running",
                    "progress_percent": 40,
                    "step": "ensure_defined",
                    "steps": [],
                    "attempt": 1,
                    "attempts": [
                        {
                            "number": 1,
                            "outcome": "running",
                            "message": "",
                            "started_at": "2026-01-31T12:00:00.2Z",
                            "ended_at": None,
                        }
                    ],
                    "error": None,
                    "resources": [{"type": "guest", "id": "0e6a9b4c-3c5e-4a86-9f0e-8b9b1f6f7c11", "name": "web-1"}],
                    "customer": "c2c0ad1e-7d5b-4c7c-8f1d-1d6a3c1a8b27",
                    "parent": None,
                    "children": None,
                    "actor": "ada@example.com",
                    "mine": True,
                    "cancel_requested": False,
                    "can_cancel": True,
                    "can_retry": False,
                    "retry_refusal": "",
                    "request_id": "7d1c6c0a2b6e4d2f",
                    "created_at": "2026-01-31T12:00:00Z",
                    "started_at": "2026-01-31T12:00:00.2Z",
                    "finished_at": None,
                    "version": 4,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        wait_param(request)
        job = job_get_for(self.actor, job_id)
        return with_etag(Response(job_json(job, self.actor)), job.version)


class JobCancelView(PanelView):
    """Ask a job to stop."""

    permissions = {"POST": Permission.JOB_CANCEL}

    def must_see(self) -> None:
        job_get_for(self.actor, self.kwargs["job_id"])

    @extend_schema(
        summary="Cancel a job",
        description="A queued job ends at once; a running one at its next safe point, and what it made is undone. "
        "Needs the right to ask for the job's action. Suspending, unsuspending and deleting cannot be cancelled (409); "
        "see `can_cancel`.",
        request=EmptyIn,
        responses={202: JobAnswerOut},
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = job_get_for(self.actor, job_id)
        parsed(EmptyIn, request)
        return Response({"job": job_json(job_cancel_by(actor=self.actor, job=job), self.actor)}, status=202)


class JobRetryView(PanelView):
    """Do a failed job's work again."""

    permissions = {"POST": Permission.JOB_CANCEL}

    def must_see(self) -> None:
        job_get_for(self.actor, self.kwargs["job_id"])

    @extend_schema(
        summary="Try a failed job again",
        description="Submits the same work as a new job, with today's rights and state. See `can_retry`, and "
        "`retry_refusal` for why it cannot be done now.",
        request=EmptyIn,
        responses={202: JobAnswerOut},
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = job_get_for(self.actor, job_id)
        parsed(EmptyIn, request)
        job = job_retry(actor=self.actor, job=job)
        response = Response({"job": job_json(job, self.actor)}, status=202)
        response["Location"] = f"/api/v1/jobs/{job.pk}"
        return response
