"""A plan's size for a guest that exists: one check for whoever asks for it."""

from django.db import transaction

from billing.models import Plan
from billing.services.order_request import SIZES, errors_by_plan, plan_sizes
from billing.services.plans import plan_sell
from hosts.models import HostConnection
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError
from panel.core.models import Job
from vms.models import Guest
from vms.services.resize import guest_resize


@transaction.atomic
def guest_resize_to_plan(*, actor: Actor, guest: Guest, plan: Plan) -> Job:
    """Take a plan's size and limits for a stopped guest, and submit the job that applies them.

    Raises:
        InvalidInputError: ``plan`` is archived, for another type, has a smaller disk, less than the image needs, or
            needs what the host lacks.
        InvalidStateError: the guest is not stopped.
        QuotaExceededError, CapacityError: nothing was changed.
    """
    plan = plan_sell(plan)
    if guest.host_type not in plan.host_types:
        raise InvalidInputError(fields={"plan": f"The plan {plan.slug} is not for {guest.host_type.upper()}."})
    given = plan_sizes(plan, guest.host_type)
    size = {name: given[name] for name in (*SIZES, "plan_slug")}
    limits = given | {"notice": _bandwidth_notice(guest, plan)}
    try:
        return guest_resize(actor=actor, guest=guest, **size, limits=limits)
    except InvalidInputError as error:
        raise InvalidInputError(fields=errors_by_plan(error.fields)) from error


def _bandwidth_notice(guest: Guest, plan: Plan) -> str:
    """Return the sentence on a limit that is not applied; "" when it is, or there is none."""
    connection = HostConnection.objects.filter(host=guest.host, host_type=guest.host_type).first()
    notice = connection.bandwidth_notice(plan.bandwidth_mbit_per_s) if connection else ""
    if notice and plan.bandwidth_required:
        raise InvalidInputError(
            fields={"plan": f"The plan {plan.slug} needs a limit of traffic, which this server's host cannot give."}
        )
    return notice
