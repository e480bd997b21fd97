"""A job in JSON; every API that starts one answers with it."""

from collections import Counter
from typing import Any

from rest_framework import serializers

from panel.core.actors import Actor, ActorKind
from panel.core.cancelling import can_cancel, may_cancel
from panel.core.job_details import with_details
from panel.core.models import AttemptOutcome, Job, JobAttempt, JobStatus
from panel.core.permissions import Permission
from panel.core.retry import may_retry

HOUSE = "hosting company"
NO_COPY = {"bytes_done": None, "bytes_total": None, "rate_bytes_s": None}


class JobStepOut(serializers.Serializer[Any]):
    """One step of a job."""

    name = serializers.CharField()
    title = serializers.CharField(help_text="What people read.")
    status = serializers.ChoiceField(["queued", "running", "success", "error"])
    percent = serializers.IntegerField(min_value=0, max_value=100)
    note = serializers.CharField(allow_blank=True)
    bytes_done = serializers.IntegerField(allow_null=True, help_text="Of a step that copies data; null for others.")
    bytes_total = serializers.IntegerField(allow_null=True)
    rate_bytes_s = serializers.IntegerField(allow_null=True, help_text="Bytes a second, since the step began.")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class JobErrorOut(serializers.Serializer[Any]):
    """Why a job failed."""

    code = serializers.CharField()
    message = serializers.CharField(help_text="One sentence that a customer may read.")
    detail = serializers.CharField(required=False, help_text="Staff only.")


class JobResourceOut(serializers.Serializer[Any]):
    """What a job works on."""

    type = serializers.CharField()
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True, help_text="Blank when it no longer exists.")


class JobAttemptOut(serializers.Serializer[Any]):
    """One try of a job."""

    number = serializers.IntegerField(help_text="Grows with each; some are missing, when the job had to wait.")
    outcome = serializers.ChoiceField(AttemptOutcome.choices, help_text="`again`: it failed and was tried once more.")
    message = serializers.CharField(allow_blank=True, help_text="What it failed with: one sentence.")
    worker = serializers.CharField(required=False, help_text="Staff only.")
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class JobChildrenOut(serializers.Serializer[Any]):
    """How far the jobs are that a job of many is made of; find them with `GET /jobs?parent=`."""

    total = serializers.IntegerField()
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    success = serializers.IntegerField()
    error = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class JobOut(serializers.Serializer[Any]):
    """One requested action being carried out."""

    id = serializers.UUIDField()
    action = serializers.CharField()
    status = serializers.ChoiceField(JobStatus.choices)
    progress_percent = serializers.IntegerField(min_value=0, max_value=100)
    step = serializers.CharField(allow_blank=True)
    steps = JobStepOut(many=True)
    attempt = serializers.IntegerField()
    attempts = JobAttemptOut(many=True, help_text="Oldest first; at most the last 20.")
    error = JobErrorOut(allow_null=True)
    resources = JobResourceOut(many=True)
    customer = serializers.UUIDField(allow_null=True)
    actor = serializers.CharField(help_text="Who asked for it; customers do not see which of the staff.")
    mine = serializers.BooleanField(help_text="You asked for it.")
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    children = JobChildrenOut(allow_null=True, help_text="Of a job of many; null for others.")
    cancel_requested = serializers.BooleanField()
    can_cancel = serializers.BooleanField(help_text="`actions/cancel` would ask it to end, and you may do that.")
    can_retry = serializers.BooleanField(help_text="`actions/retry` would begin its work again, as far as is known.")
    retry_refusal = serializers.CharField(
        allow_blank=True,
        help_text="Why one that failed or was cancelled, and that is yours to try again, cannot be now.",
    )
    request_id = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


def job_json(job: Job, actor: Actor) -> dict[str, Any]:
    """Return a job; lists prefetch ``resources`` and go through ``job_details.with_details``."""
    if not hasattr(job, "resource_names"):
        with_details([job])
    names = job.resource_names  # type: ignore[attr-defined]
    error = None
    if job.error_code:
        error = {"code": job.error_code, "message": job.error_message}
        if actor.may(Permission.FLEET_VIEW):
            error["detail"] = job.error_detail
    return {
        "id": job.pk,
        "action": job.action,
        "status": job.status,
        "progress_percent": job.progress_percent,
        "step": job.step,
        "steps": [{**NO_COPY, **step} for step in job.steps],
        "attempt": job.attempt,
        "attempts": [_attempt(one, actor) for one in job.last_attempts],  # type: ignore[attr-defined]
        "error": error,
        "resources": [
            {"type": r.type, "id": r.resource_id, "name": names.get((r.type, r.resource_id), "")}
            for r in job.resources.all()
        ],
        "customer": job.customer_id,
        "actor": _asked_by(job, actor),
        "mine": actor.user_id is not None and job.actor_user_id == actor.user_id,
        "parent": job.parent_id,
        "children": _children(job),
        "cancel_requested": job.cancel_requested_at is not None,
        "can_cancel": can_cancel(job) and may_cancel(actor, job),
        **_retry(job, actor),
        "request_id": job.request_id,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "version": job.version,
    }


def _attempt(attempt: JobAttempt, actor: Actor) -> dict[str, Any]:
    worker = {"worker": attempt.worker} if actor.may(Permission.FLEET_VIEW) else {}
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "message": attempt.error_message,
        **worker,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
    }


def _retry(job: Job, actor: Actor) -> dict[str, Any]:
    refusal: str | None = job.retry_refusal  # type: ignore[attr-defined]
    asked = refusal is not None and may_retry(actor, job)
    return {"can_retry": asked and not refusal, "retry_refusal": refusal if asked else ""}


def _children(job: Job) -> dict[str, int] | None:
    count: Counter[str] = job.children_count  # type: ignore[attr-defined]
    return {"total": count.total(), **{status: count[status] for status in JobStatus.values}} if count else None


def _asked_by(job: Job, actor: Actor) -> str:
    """Return who asked, without naming people of the hosting company to customers."""
    if actor.is_staff or (actor.user_id and job.actor_user_id == actor.user_id):
        return job.actor_label
    customers_own = job.actor_kind == ActorKind.PERSON and job.actor_user is not None and not job.actor_user.is_staff
    return job.actor_label if customers_own else HOUSE
