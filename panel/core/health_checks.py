"""Looks at the panel itself: stores, processes, jobs, backups."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from panel.core.health import Finding, Severity, duration_words, health_check, several, since_when
from panel.core.job_metrics import LATELY, waiting_jobs
from panel.core.models import AttemptOutcome, Job, JobAttempt, JobStatus, PanelBackup, PanelProcess
from panel.core.models.jobs import FINAL
from panel.core.processes import processes_alive
from panel.core.readiness import redis_answers

LONG = timedelta(minutes=1)  # a job that could run waits seconds
BACKUP_OLD = timedelta(days=7)
GONE_FOR = timedelta(days=1)  # a process that vanished is spoken of so long
MANY_FAILED = 5
STARTS_WITHIN = timedelta(seconds=30)  # a panel's processes load their code before they say that they live

_WAIT = ngettext_lazy(
    "%(count)s job has waited longer than 1 minute (%(age)s): %(why)s",
    "%(count)s jobs have waited longer than 1 minute; the oldest %(age)s: %(why)s",
    "count",
)
_FAIL = ngettext_lazy(
    "%(bad)s of %(count)s job “%(action)s” of the last hour failed.",
    "%(bad)s of %(count)s jobs “%(action)s” of the last hour failed.",
    "count",
)
_LOST = ngettext_lazy(
    "%(count)s job lost its worker in the last hour and was taken over.",
    "%(count)s jobs lost their worker in the last hour and were taken over.",
    "count",
)


@health_check
def redis(now: datetime) -> Iterable[Finding]:
    """The doorbell."""
    silent = not redis_answers()
    since = since_when("redis", wrong=silent, now=now)
    if silent:
        yield Finding(
            severity=Severity.WARNING,
            code="redis_silent",
            subject="redis",
            since=since,
            sentence=_("Redis does not answer: jobs are run by the collector, two at a time."),
            hint=_(
                "Nothing is lost, but jobs take longer and open pages look for changes every few seconds only. "
                "Start Redis again; its log says why it ended."
            ),
        )


@health_check
def processes(now: datetime) -> Iterator[Finding]:
    """Which kinds of processes nobody has heard of, and which single ones vanished."""
    alive = dict(processes_alive().values_list("kind").annotate(Min("started_at")).order_by())
    starting = bool(alive) and now - min(alive.values()) < STARTS_WITHIN
    last = dict(PanelProcess.objects.values_list("kind").annotate(Max("seen_at")).order_by())
    for kind, (severity, sentence, hint) in _missing().items():
        if kind not in alive and starting:
            yield _starting(kind)
        elif kind not in alive:
            yield Finding(
                severity=severity,
                code=f"no_{kind}",
                subject=kind,
                since=last.get(kind),
                sentence=sentence,
                hint=hint,
            )
    yield from _vanished(set(alive), now)


def _starting(kind: str) -> Finding:
    """The panel was started just now."""
    return Finding(
        severity=Severity.NOTICE,
        code=f"starting_{kind}",
        subject=kind,
        sentence=_("The panel is starting: its %(kind)s has not been heard of yet.") % {"kind": kind},
        hint=_("That takes up to half a minute. Should it not come, this line says so then."),
    )


def _missing() -> dict[str, tuple[Severity, str, str]]:
    start = _("Start it; its log says why it ended.")
    return {
        "worker": (
            Severity.CRITICAL,
            _("No worker is answering: what is asked for is accepted, and not carried out."),
            start,
        ),
        "collector": (
            Severity.CRITICAL,
            _("No collector is answering: nobody sees what servers do, and jobs whose worker is lost stay so."),
            start,
        ),
        "builder": (Severity.WARNING, _("No builder is answering: images are not built."), start),
    }


def _vanished(alive: set[str], now: datetime) -> Iterator[Finding]:
    """Processes of kinds of which others live, that ended without saying so and that none has replaced."""
    living = processes_alive().values_list("kind", "machine").annotate(Max("started_at")).order_by()
    newest = {(kind, machine): started for kind, machine, started in living}
    gone = PanelProcess.objects.filter(kind__in=alive, seen_at__gt=now - GONE_FOR).exclude(pk__in=processes_alive())
    for one in gone.order_by("-seen_at")[:10]:
        started = newest.get((one.kind, one.machine))
        if started is not None and started > one.seen_at:
            continue
        yield Finding(
            severity=Severity.WARNING,
            code="process_vanished",
            subject=f"{one.kind} {one.machine}",
            since=one.seen_at,
            sentence=_("The %(kind)s on %(machine)s (process %(pid)s) has not been heard of any more.")
            % {"kind": one.kind, "machine": one.machine, "pid": one.pid},
            hint=_("Others do its work. If it was stopped on purpose this line goes after a day; else see its log."),
        )


@health_check
def waiting(now: datetime) -> Iterator[Finding]:
    """Jobs that could run and that nobody takes."""
    late = waiting_jobs().filter(created_at__lt=now - LONG)
    rows = late.values_list("queue").annotate(count=Count("pk"), oldest=Min("created_at")).order_by("queue")
    alive = set(processes_alive().values_list("kind", flat=True))
    for queue, count, oldest in rows:
        kind = "builder" if queue == "builder" else "worker"
        why = (
            _("all workers are busy.") if kind in alive else _("no %(kind)s is answering.") % {"kind": kind}
        )  # fmt: skip
        yield from several(
            count,
            severity=Severity.WARNING if kind in alive else Severity.CRITICAL,
            code="jobs_waiting",
            subject=queue,
            since=oldest,
            sentence=_WAIT,
            age=duration_words(now - oldest),
            why=why,
            hint=_waiting_hint(count, busy=kind in alive),
            link="/jobs?status=queued",
        )


def _waiting_hint(count: int, *, busy: bool) -> str:
    if busy:
        return ngettext(
            "It is carried out as soon as somebody takes it. More workers: WORKER_CONCURRENCY.",
            "They are carried out as soon as somebody takes them. More workers: WORKER_CONCURRENCY.",
            count,
        )
    return ngettext(
        "It is carried out when one runs again; nothing is lost.",
        "They are carried out when one runs again; nothing is lost.",
        count,
    )


@health_check
def failing(now: datetime) -> Iterator[Finding]:
    """Actions whose jobs failed in the last hour."""
    ended = Job.objects.filter(finished_at__gte=now - LATELY, status__in=FINAL, children__isnull=True)
    failed = Count("pk", filter=Q(status=JobStatus.ERROR))
    first = Min("finished_at", filter=Q(status=JobStatus.ERROR))
    rows = ended.values_list("action").annotate(all=Count("pk"), failed=failed, first=first).order_by("action")
    for action, count, bad, since in rows:
        most = bad >= MANY_FAILED and 2 * bad > count
        yield from several(
            count if bad else 0,
            severity=Severity.CRITICAL if most else Severity.WARNING,
            code="jobs_failing",
            subject=action,
            since=since,
            sentence=_FAIL,
            bad=bad,
            action=_words(action),
            hint=ngettext(
                "It says what happened, and has a button to try again or says what to do instead.",
                "Each of them says what happened, and has a button to try again or says what to do instead.",
                bad,
            ),
            link=f"/jobs?status=error&action={action}",
        )


@health_check
def takeovers(now: datetime) -> Iterator[Finding]:
    """Workers that were lost in the middle of a job, in the last hour."""
    lost = JobAttempt.objects.filter(outcome=AttemptOutcome.LOST, ended_at__gte=now - LATELY)
    found = lost.aggregate(count=Count("pk"), first=Min("ended_at"))
    jobs = list(lost.order_by().values_list("job_id", flat=True).distinct()[:2])
    yield from several(
        found["count"],
        severity=Severity.NOTICE if found["count"] < MANY_FAILED else Severity.WARNING,
        code="leases_lost",
        since=found["first"],
        sentence=_LOST,
        hint=_("Nothing is lost by it. When it goes on, look at the workers' log and at their machine's memory."),
        link=f"/jobs/{jobs[0]}" if len(jobs) == 1 else "/jobs",
    )


def _words(action: str) -> str:
    """Return "create guest" for "guest.create"; verbs of several words name their object themselves."""
    thing, _dot, verb = action.partition(".")
    return verb.replace("-", " ") if "-" in verb else f"{verb} {thing}".strip()


@health_check
def backups(now: datetime) -> Iterator[Finding]:
    """How old the last backup is."""
    last = PanelBackup.objects.aggregate(at=Max("created_at"))["at"]
    how = _("“make backup FILE=…” writes one; the guide for administrators says how to have it done every night.")
    if last is None:
        yield Finding(
            severity=Severity.WARNING,
            code="no_backup",
            subject="backup",
            sentence=_("There is no backup of the panel."),
            hint=how,
        )
    elif now - last > BACKUP_OLD:
        yield Finding(
            severity=Severity.WARNING,
            code="backup_old",
            subject="backup",
            since=last,
            sentence=_("The last backup of the panel is %(age)s old.") % {"age": duration_words(now - last)},
            hint=how,
        )
