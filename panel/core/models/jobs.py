"""Jobs: one row per requested action, the resources it holds, and how to undo what it made."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from panel.core.models.accounts import ApiClient, Customer, User
from panel.core.models.base import VersionedRecord


class JobStatus(models.TextChoices):
    """Where a job is. Cancelling is ``cancel_requested_at``, not a status."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCESS = "success", "Done"
    ERROR = "error", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)
FINAL = (JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELLED)


class Job(VersionedRecord):
    """One requested action being carried out. Only the kernel writes ``status`` (``panel.core.jobs``, parents,
    cancelling, sweeper).

    ``attempt`` is a fencing token: every write and every hypervisor call of a run carries the number it
    was claimed with, and a run that was overtaken can do neither. ``params`` holds no secret.
    """

    action = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.QUEUED)
    queue = models.CharField(max_length=16, default="jobs")
    params = models.JSONField(default=dict)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="jobs")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    actor_kind = models.CharField(max_length=16)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_client = models.ForeignKey(ApiClient, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=254)
    request_id = models.CharField(max_length=64, blank=True)

    host_id = models.UUIDField(null=True)  # the host whose slot it needs
    slot_kind = models.CharField(max_length=16, blank=True)

    attempt = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)  # attempts ended by a retryable error
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    run_after = models.DateTimeField(null=True)  # not before; null: at once
    sent_at = models.DateTimeField(null=True)  # the last time a message was sent for it
    cancel_requested_at = models.DateTimeField(null=True)

    step = models.CharField(max_length=64, blank=True)
    steps = models.JSONField(default=list)  # [{name, title, status, percent, note, started_at, finished_at}]
    progress_percent = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)  # a customer may read it
    error_detail = models.TextField(blank=True)  # staff only
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(progress_percent__lte=100), name="core_job_progress_at_most_100"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, status__in=ACTIVE)
                | Q(finished_at__isnull=False, status__in=FINAL),
                name="core_job_finished_iff_final",
            ),
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="core_job_newest"),
            models.Index("customer", F("created_at").desc(), F("id").desc(), name="core_job_of_customer"),
            models.Index(fields=["sent_at"], condition=Q(status="queued"), name="core_job_queued"),
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="core_job_running"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.id}"

    @property
    def is_final(self) -> bool:
        """True when the job will not change any more."""
        return self.status in FINAL


class ResourceSlot(models.TextChoices):
    """A job either holds a resource or waits for its holder."""

    HOLDING = "holding", "Holding"
    WAITING = "waiting", "Waiting"


class JobResource(models.Model):
    """A thing that an active job works on: at most one job holds it and one waits. Gone when the job ends."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="resources")
    type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    slot = models.CharField(max_length=8, choices=ResourceSlot, null=True)  # null: the job has ended

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["type", "resource_id", "slot"], name="core_jobresource_slot"),
        ]
        indexes = [models.Index(fields=["resource_id", "type"], name="core_jobresource_of")]

    def __str__(self) -> str:
        return f"{self.type} {self.resource_id} {self.slot}"


class AttemptOutcome(models.TextChoices):
    """How an attempt ended. A job that only waits for something, such as an image, gives its attempt back."""

    RUNNING = "running", "Running"
    SUCCESS = "success", "Done"
    ERROR = "error", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    AGAIN = "again", "Failed, and tried again"
    LOST = "lost", "Its worker was lost"


class JobAttempt(models.Model):
    """One try of a job, by one worker. Only ``panel.core.attempts`` writes it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()  # the job's fencing token
    worker = models.CharField(max_length=120)
    outcome = models.CharField(max_length=16, choices=AttemptOutcome, default=AttemptOutcome.RUNNING)
    error_message = models.TextField(blank=True)  # a customer may read it
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="core_jobattempt_number")]
        indexes = [models.Index(fields=["ended_at"], condition=Q(outcome="lost"), name="core_jobattempt_lost")]

    def __str__(self) -> str:
        return f"{self.number} of {self.job_id}"


class JobUndo(models.Model):
    """What to do if the job fails for good: written before a step makes something, replayed last-first."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="undo_entries")
    step = models.CharField(max_length=64)
    inverse = models.CharField(max_length=64)
    before = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "step", "inverse", "before"], name="core_jobundo_once"),
        ]

    def __str__(self) -> str:
        return f"{self.inverse} of {self.job_id}"


class HostSlot(models.Model):
    """One of a host's places for a kind of heavy work (build, copy, …). ``job`` null: free."""

    host_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    number = models.PositiveSmallIntegerField()
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="slots")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host_id", "kind", "number"], name="core_hostslot_number")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of {self.host_id}"


class SilentHost(models.Model):
    """A host that does not answer, as far as jobs are concerned: they keep only few workers. See host_slots."""

    host_id = models.UUIDField(primary_key=True)
    noted_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.host_id)
