"""Reads of guests. Who sees which guest is decided here and nowhere else."""

import contextlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    prefetch_related_objects,
)
from django.db.models.functions import Coalesce, Now, TruncDate
from django.utils import timezone

from hosts.drivers.types import PowerState
from hosts.models import HostConnection, IPAddress
from hosts.models.hosts import ANSWERS
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.ip import address_parse
from panel.core.models import Job, JobResource, ResourceSlot
from panel.core.permissions import Permission
from vms.models import Difference, Guest
from vms.states import GuestAction, Lifecycle, PowerWanted


def guest_list_for(actor: Actor) -> QuerySet[Guest]:
    """Guests that the actor sees, deleted ones left out. Follow with ``with_details`` for a page of them.

    What a guest was made with stays in the database: up to 64 KiB a guest, and no list shows it.
    """
    rows = guests_of(actor).exclude(lifecycle=Lifecycle.DELETED)
    return rows.defer("user_data", "ssh_keys", "boot_volumes")


def guests_of(actor: Actor) -> QuerySet[Guest]:
    """All guests of the customers that the actor sees, with what ``guest_json`` shows beside them."""
    visible = actor.customer_ids
    rows = Guest.objects.all() if visible is None else Guest.objects.filter(customer_id__in=visible)
    own = HostConnection.objects.filter(host_id=OuterRef("host_id"), host_type=OuterRef("host_type"))
    return rows.select_related("customer", "host", "image").annotate(
        host_emulated=Coalesce(Subquery(own.values("emulated")[:1]), False),
        host_answers=Exists(own.filter(ANSWERS, enabled=True, uncompared_since__isnull=True)),
        power_shown=power_shown(),
    )


def power_shown() -> Case:
    """Return what is shown as a guest's power: ``unknown`` when no collector has looked at it for a while.

    A silent host's guests are written down as unknown; this is for when nobody is there to write. By the database's
    clock.
    """
    unknown = When(_not_looked_at(), then=Value(PowerState.UNKNOWN.value))
    return Case(unknown, default=F("power_state"), output_field=CharField())


def power_shown_is(state: str) -> Q:
    """The condition that ``power_shown`` is ``state``, such that PostgreSQL can tell how many rows pass."""
    written, unknown = Q(power_state=state), _not_looked_at()
    return written | unknown if state == PowerState.UNKNOWN else written & ~unknown


def _not_looked_at() -> Q:
    since = Now() - timedelta(seconds=settings.OBSERVED_STALE_S)
    return Q(lifecycle=Lifecycle.ACTIVE, host__isnull=False, observed_at__lt=since)


def power_of(guest: Guest) -> PowerState:
    """Return the power that is shown of a guest that was read with ``power_shown``; else what is written down."""
    return PowerState(getattr(guest, "power_shown", guest.power_state))


def root_left_alone(guest: Guest) -> bool:
    """True when it was taken over with a root disk that is no file of a disk: that is left as it is."""
    return guest.disks.filter(index=0, volume__left_alone=True).exists()


def guest_get_for(actor: Actor, guest_id: UUID, *, lock: bool = False) -> Guest:
    """Return one guest, also a deleted one; with ``lock`` its row is locked until the transaction ends.

    Raises:
        NotFoundError: there is none, or it is of a customer the actor does not see.
    """
    rows = guests_of(actor)
    guest = (rows.select_for_update(of=("self",)) if lock else rows).filter(pk=guest_id).first()
    if guest is None:
        raise NotFoundError("There is no such server.")
    return guest


def guests_chosen(actor: Actor, ids: Collection[UUID], *, field: str) -> list[Guest]:
    """Return the guests that a request names in ``field``. Of several customers only for those who see all.

    Raises:
        InvalidInputError: one does not exist for the actor, or they are not of one customer.
    """
    found = {guest.pk: guest for guest in guest_list_for(actor).filter(pk__in=ids)}
    missing = [str(pk) for pk in dict.fromkeys(ids) if pk not in found]
    if missing:
        raise InvalidInputError(fields={field: f"There is no such server: {missing[0]}."})
    if actor.customer_ids is not None and len({guest.customer_id for guest in found.values()}) > 1:
        raise InvalidInputError(fields={field: "Choose servers of one customer at a time."})
    return list(found.values())


def difference_list_for(actor: Actor) -> QuerySet[Difference]:
    """Differences, closed ones included; only for those who see the fleet."""
    actor.require(Permission.FLEET_VIEW)
    return difference_rows()


def difference_rows() -> QuerySet[Difference]:
    """Differences, each with whether its guest is there."""
    active = Guest.objects.filter(pk=OuterRef("object_id"), lifecycle=Lifecycle.ACTIVE)
    return Difference.objects.select_related("host", "customer").annotate(guest_is_active=Exists(active))


def difference_get_for(actor: Actor, difference_id: UUID) -> Difference:
    """Return one difference. Raises NotFoundError."""
    found = difference_list_for(actor).filter(pk=difference_id).first()
    if found is None:
        raise NotFoundError("There is no such difference.")
    return found


def difference_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the labels of differences."""
    return dict(Difference.objects.filter(pk__in=ids).values_list("pk", "label"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How many guests were ordered and how many deleted on one day, in UTC."""

    date: date
    arrived: int
    departed: int


def arrivals_and_departures(actor: Actor, *, today: date, days: int = 7) -> list[Day]:
    """Return the last days of the whole fleet, oldest first, ``today`` last; two queries over the days' guests."""
    actor.require(Permission.FLEET_VIEW)
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, time.min, tzinfo=UTC)
    arrived, departed = (_by_day(field, since) for field in ("created_at", "deleted_at"))
    dates = [first + timedelta(days=number) for number in range(days)]
    return [Day(date=day, arrived=arrived.get(day, 0), departed=departed.get(day, 0)) for day in dates]


def _by_day(field: str, since: datetime) -> dict[date, int]:
    rows = Guest.objects.filter(**{f"{field}__gte": since}).values_list(TruncDate(field, tzinfo=UTC))
    return dict(rows.annotate(Count("pk")).order_by())


def guest_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of guests, deleted ones included."""
    return dict(Guest.objects.filter(pk__in=ids).values_list("pk", "name"))


def adoption_names(jobs: Sequence[Job]) -> dict[tuple[str, UUID], str]:
    """Return the names that were asked for of servers to be taken over: a take-over that failed leaves no guest."""
    names = {job: (job.params.get("asked") or job.params.get("found") or {}).get("name", "") for job in jobs}
    return {(one.type, one.resource_id): name for job, name in names.items() for one in job.resources.all()}


def with_details(guests: list[Guest]) -> list[Guest]:
    """Attach what a guest's representation needs, in four queries for any number of guests."""
    ids = [guest.pk for guest in guests]
    jobs = {
        row.resource_id: row.job
        for row in JobResource.objects.filter(
            type="guest", resource_id__in=ids, slot=ResourceSlot.HOLDING
        ).select_related("job")
    }
    macs: dict[UUID, str] = {}
    addresses: dict[UUID, list[IPAddress]] = {}
    for address in IPAddress.objects.filter(owner_id__in=ids).order_by("family", "address"):
        addresses.setdefault(address.owner_id, []).append(address)  # type: ignore[arg-type]
    prefetch_related_objects(guests, "suspensions", "nics")
    for guest in guests:
        macs.update({nic.pk: nic.mac for nic in guest.nics.all()})
    for guest in guests:
        guest.job_now = jobs.get(guest.pk)  # type: ignore[attr-defined]
        guest.addresses_now = [(a, macs.get(a.nic_id, "")) for a in addresses.get(guest.pk, [])]  # type: ignore[attr-defined, arg-type]
    return guests


def guest_search(rows: QuerySet[Guest], text: str) -> QuerySet[Guest]:
    """Narrow to guests whose name contains ``text``, or whose id, address, MAC or external id is ``text``."""
    matches = Q(name__icontains=text) | Q(external_id=text)
    with contextlib.suppress(ValueError):
        matches |= Q(pk=uuid.UUID(text))
    try:
        address = str(address_parse(text))
        matches |= Q(pk__in=IPAddress.objects.filter(address=address, owner_id__isnull=False).values("owner_id"))
    except ValueError:
        pass
    if text.count(":") == 5 and len(text) == 17:
        matches |= Q(nics__mac=text.lower())
    return rows.filter(matches)


_WORKING = {
    GuestAction.CREATE: "creating",
    GuestAction.START: "starting",
    GuestAction.SHUTDOWN: "shutting-down",
    GuestAction.STOP: "stopping",
    GuestAction.REBOOT: "rebooting",
    GuestAction.RESET: "rebooting",
    GuestAction.RESET_ROOT_PASSWORD: "resetting-password",
    GuestAction.REBUILD: "rebuilding",
    GuestAction.RESIZE: "resizing",
    GuestAction.DELETE: "deleting",
}
STATUSES = (
    "creating", "starting", "shutting-down", "stopping", "rebooting", "resetting-password", "rebuilding", "resizing",
    "deleting", "deleted", "suspended", "error", "running", "paused", "off", "crashed", "unknown",
)  # fmt: skip
_POWER = {
    PowerState.RUNNING: "running",
    PowerState.PAUSED: "paused",
    PowerState.SHUTOFF: "off",
    PowerState.CRASHED: "crashed",
    PowerState.UNKNOWN: "unknown",
}


def guest_status(guest: Guest, job: Job | None, reasons: list[str]) -> tuple[str, str]:
    """Derive what people see: (status, one sentence why). Never stored.

    Order: deletion, the running job, suspension, failure, power.
    """
    if guest.lifecycle == Lifecycle.DELETED:
        return "deleted", ""
    if guest.lifecycle == Lifecycle.DELETING and job is None and guest.error_message:
        return "error", f"The server could not be deleted: {guest.error_message}"
    if guest.deletion_requested_at is not None:
        return "deleting", "The server and its disk are being deleted."
    if job is not None and job.action in _WORKING:
        return _WORKING[GuestAction(job.action)], ""
    if reasons:
        return "suspended", f"Suspended: {', '.join(reasons)}."
    if guest.lifecycle == Lifecycle.ERROR:
        return "error", guest.error_message or "The server could not be built."
    if guest.lifecycle == Lifecycle.PROVISIONING:
        return "creating", ""
    return _POWER[power_of(guest)], _power_reason(guest)


def _seen(at: datetime | None) -> str:
    """Return "14:02 UTC", with its day when that is another one than today."""
    if at is None:
        return "never"
    day = "" if at.date() == timezone.now().date() else f" on {at:%Y-%m-%d}"
    return f"{at:%H:%M} UTC{day}"


def _host_answers(guest: Guest) -> bool:
    """True when a guest that was read with ``guests_of`` is on a hypervisor that answers now."""
    return bool(getattr(guest, "host_answers", False))


def _power_reason(guest: Guest) -> str:
    if guest.power_state == PowerState.UNKNOWN:
        what = "The host answers and does not have it" if _host_answers(guest) else "The host does not answer for it"
        return f"{what}; last seen {_seen(guest.observed_at)}."
    if power_of(guest) == PowerState.UNKNOWN:
        return f"The panel has not looked at it lately; last seen {_seen(guest.observed_at)}."
    if guest.power_state == PowerState.PAUSED:
        if guest.state_reason == "disk_full":
            return "Paused because the host's storage is full. When there is room again, start it to let it go on."
        return "Paused." if not guest.state_reason else f"Paused: {guest.state_reason.replace('_', ' ')}."
    if guest.power_state == PowerState.CRASHED:
        return "The server's system has crashed."
    if guest.power_state == PowerState.SHUTOFF and guest.power_wanted == PowerWanted.ON:
        return "It should run: it powered off from inside, was stopped on its host, or could not be started."
    return ""
