"""Reads of plans and subscriptions. What is out of sight does not exist (404)."""

from uuid import UUID

from django.db.models import Q, QuerySet

from billing.models import Plan, Subscription
from billing.states import SubscriptionStatus
from hosts.selectors import by_id_or_slug
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.models import Job, JobResource
from vms.models import Guest
from vms.states import GuestAction


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────
def plan_list_for(actor: Actor, *, archived: bool | None = False) -> QuerySet[Plan]:
    """Plans: those for sale, or (for those who see every customer) the archived ones; None for both."""
    rows = Plan.objects.all()
    if actor.customer_ids is not None:
        return rows.filter(archived_at__isnull=True) if archived is not True else rows.none()
    return rows if archived is None else rows.filter(archived_at__isnull=not archived)


def plan_get_for(actor: Actor, reference: str, *, lock: bool = False) -> Plan:
    """Return a plan by id or slug, locked if asked; customers also see an archived one that they have.

    Raises:
        NotFoundError: there is none that the actor sees.
    """
    rows = Plan.objects.all()
    if (visible := actor.customer_ids) is not None:
        theirs = Subscription.objects.filter(customer_id__in=visible).values("plan_id")
        rows = rows.filter(Q(archived_at__isnull=True) | Q(pk__in=theirs))
    plan = (rows.select_for_update() if lock else rows).filter(**by_id_or_slug(reference)).first()
    if plan is None:
        raise NotFoundError("There is no such plan.")
    return plan


def plan_chosen(actor: Actor, reference: str) -> Plan:
    """Return the plan that the field ``plan`` names. Raises InvalidInputError."""
    try:
        return plan_get_for(actor, reference)
    except NotFoundError as error:
        raise InvalidInputError(fields={"plan": f"There is no plan {reference}."}) from error


# ── subscriptions ───────────────────────────────────────────────────────────────────────────────────
def subscription_list_for(actor: Actor) -> QuerySet[Subscription]:
    """Subscriptions of the customers the actor sees, with what their representation needs."""
    rows = Subscription.objects.select_related("plan", "guest", "customer").prefetch_related("guest__suspensions")
    visible = actor.customer_ids
    return rows if visible is None else rows.filter(customer_id__in=visible)


def subscription_get_for(actor: Actor, subscription_id: UUID) -> Subscription:
    """Return a subscription. Raises NotFoundError."""
    found = subscription_list_for(actor).filter(pk=subscription_id).first()
    if found is None:
        raise NotFoundError("There is no such subscription.")
    return found


def subscriptions_in_status(rows: QuerySet[Subscription], status: str) -> QuerySet[Subscription]:
    """Narrow to what people see as active, suspended or terminated."""
    if status == SubscriptionStatus.TERMINATED:
        return rows.filter(status=SubscriptionStatus.TERMINATED)
    suspended = Guest.objects.filter(suspensions__isnull=False).values("pk")
    rows = rows.filter(status=SubscriptionStatus.ACTIVE)
    return rows.filter(guest__in=suspended) if status == "suspended" else rows.exclude(guest__in=suspended)


def subscription_of(guest: Guest) -> Subscription | None:
    """Return a guest's subscription, if it has one."""
    return Subscription.objects.select_related("plan").filter(guest=guest).first()


# ── jobs of a guest ─────────────────────────────────────────────────────────────────────────────────
def create_job_of(guest: Guest) -> Job | None:
    """Return the job that built a guest."""
    return _jobs_of(guest).filter(action=GuestAction.CREATE).order_by("created_at").first()


def active_job_of(guest: Guest, *actions: GuestAction) -> Job | None:
    """Return the job of one of these actions that works on a guest now, or waits to."""
    active = JobResource.objects.filter(type="guest", resource_id=guest.pk, slot__isnull=False).values("job_id")
    return _jobs_of(guest).filter(action__in=actions, pk__in=active).order_by("created_at").last()


def _jobs_of(guest: Guest) -> QuerySet[Job]:
    held = JobResource.objects.filter(type="guest", resource_id=guest.pk).values("job_id")
    return Job.objects.prefetch_related("resources").filter(pk__in=held)
