"""HTTP for guests. Ordering and deleting one are billing's door (``billing.api``)."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosts.drivers.types import HostType, PowerState
from hosts.selectors import image_chosen
from panel.core.api.input import EmptyIn
from panel.core.api.job_json import job_json
from panel.core.api.paging import page
from panel.core.api.query import text_param, uuid_param
from panel.core.api.schema import PAGING, page_of
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.models import Job
from panel.core.permissions import Permission
from vms import selectors
from vms.api.serializers import (
    ACTIONS,
    AcceptedOut,
    GuestOut,
    GuestPatchIn,
    PasswordIn,
    RebuildIn,
    guest_json,
)
from vms.models import Guest
from vms.services.access import guest_rebuild, guest_reset_root_password
from vms.services.actions import guest_action_submit
from vms.services.guests import guest_rename
from vms.services.keys import keys_resolve
from vms.states import RULES, GuestAction, Lifecycle

SORTS = {"created_at": "created_at", "name": "name"}
FILTERS = [
    OpenApiParameter("search", str, description="Part of a name, or an id, address, MAC or external id."),
    OpenApiParameter("customer", {"type": "string", "format": "uuid"}, description="Only this customer's."),
    OpenApiParameter("host", {"type": "string", "format": "uuid"}, description="Only on this host (staff)."),
    OpenApiParameter("host_type", str, enum=[t.value for t in HostType]),
    OpenApiParameter("power_state", str, enum=[s.value for s in PowerState]),
    OpenApiParameter("lifecycle", str, enum=Lifecycle.values),
    OpenApiParameter("external_id", str, description="The id your own system gave."),
    OpenApiParameter(
        "sort", str, enum=["created_at", "-created_at", "name", "-name"], description="Default: newest first."
    ),
]


class GuestListView(PanelView):
    """``/guests``: the list. Orders are added by billing."""

    permissions: dict[str, Permission | None] = {"GET": Permission.GUEST_VIEW}

    @extend_schema(summary="List guests", parameters=[*FILTERS, *PAGING], responses=page_of(GuestOut))
    def get(self, request: Request) -> Response:
        """Guests that you may see, newest first, deleted ones left out unless asked for by `lifecycle=deleted`."""
        rows = self._filtered(request)
        return page(
            request,
            rows,
            show=lambda guest: guest_json(guest, self.actor),
            sorts=SORTS,
            prepare=selectors.with_details,
            filters=[parameter.name for parameter in FILTERS],
        )

    def _filtered(self, request: Request) -> QuerySet[Guest]:
        if request.query_params.get("lifecycle") == Lifecycle.DELETED:
            rows = selectors.guests_of(self.actor)
        else:
            rows = selectors.guest_list_for(self.actor)
        rows = self._exact(rows, request)
        if search := text_param(request, "search"):
            rows = selectors.guest_search(rows, search)
        return rows

    def _exact(self, rows: QuerySet[Guest], request: Request) -> QuerySet[Guest]:
        allowed: dict[str, list[str]] = {
            "host_type": [t.value for t in HostType],
            "power_state": [s.value for s in PowerState],
            "lifecycle": Lifecycle.values,
        }
        for name, values in allowed.items():
            if value := text_param(request, name):
                if value not in values:
                    raise InvalidInputError(fields={name: f"Use one of: {', '.join(values)}."})
                shown = selectors.power_shown_is(value) if name == "power_state" else Q(**{name: value})
                rows = rows.filter(shown)
        if value := text_param(request, "external_id"):
            rows = rows.filter(external_id=value)
        for name, right in (("customer", Permission.GUEST_VIEW), ("host", Permission.FLEET_VIEW)):
            if wanted := uuid_param(request, name):
                if name == "host":
                    self.actor.require(right)
                rows = rows.filter(**{f"{name}_id": wanted})
        return rows


class GuestDetailView(PanelView):
    """``/guests/{id}``."""

    permissions: dict[str, Permission | None] = {"GET": Permission.GUEST_VIEW, "PATCH": Permission.GUEST_OPERATE}

    def must_see(self) -> None:
        selectors.guest_get_for(self.actor, self.kwargs["guest_id"])

    def guest(self, guest_id: UUID, permission: Permission, *, lock: bool = False) -> Guest:
        """Return the guest, the right to it checked; locked before its version is compared."""
        guest = selectors.guest_get_for(self.actor, guest_id, lock=lock)
        self.actor.require(permission, guest.customer_id)
        return guest

    @extend_schema(summary="Get a guest", responses=GuestOut)
    def get(self, request: Request, guest_id: UUID) -> Response:
        """One guest, also a deleted one (`lifecycle` is then `deleted`)."""
        return shown(self.guest(guest_id, Permission.GUEST_VIEW), self)

    @extend_schema(summary="Rename or label a guest", request=GuestPatchIn, responses=GuestOut)
    def patch(self, request: Request, guest_id: UUID) -> Response:
        """Changes the name in the panel and the labels. The host name inside the guest stays as it is."""
        guest = self.guest(guest_id, Permission.GUEST_OPERATE, lock=True)
        if guest.lifecycle == Lifecycle.DELETED:
            raise NotFoundError("There is no such server.")
        check_if_match(request, guest.version)
        changes = parsed(GuestPatchIn, request, partial=True)
        return shown(guest_rename(actor=self.actor, guest=guest, **changes), self)


def shown(guest: Guest, view: PanelView) -> Response:
    """Return one guest's representation with its ETag."""
    full = selectors.guest_get_for(view.actor, guest.pk)
    return with_etag(Response(guest_json(selectors.with_details([full])[0], view.actor)), full.version)


def accepted(guest: Guest, job: Job, view: PanelView, **more: Any) -> Response:
    """Return 202 with the guest, the job and where to follow it."""
    full = selectors.with_details([selectors.guest_get_for(view.actor, guest.pk)])[0]
    job = Job.objects.prefetch_related("resources").get(pk=job.pk)
    body = {"guest": guest_json(full, view.actor), "job": job_json(job, view.actor), **more}
    return Response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class GuestActionView(GuestDetailView):
    """``/guests/{id}/actions/{action}``: one route an action, one class for all plain ones."""

    http_method_names = ["post", "options"]  # not what the guest itself answers
    permissions = {"POST": Permission.GUEST_OPERATE}
    action: GuestAction = GuestAction.START

    def post(self, request: Request, guest_id: UUID) -> Response:
        """Ask for it; follow the job at `Location`."""
        guest = self.guest(guest_id, RULES[self.action].permission)
        parsed(EmptyIn, request)
        job = guest_action_submit(actor=self.actor, guest=guest, action=self.action)
        return accepted(guest, job, self)


_TEXTS = {
    GuestAction.START: ("Start a guest", "Powers it on. A paused one goes on."),
    GuestAction.SHUTDOWN: (
        "Shut a guest down",
        "Asks its system to power off; never cuts the power. The job fails with `shutdown_ignored` after a minute.",
    ),
    GuestAction.STOP: ("Power a guest off", "Cuts the power. What was not written to disk is lost."),
    GuestAction.REBOOT: ("Reboot a guest", "Asks its system to restart."),
    GuestAction.RESET: ("Reset a guest", "Restarts it at once, as by a reset button. Unwritten data is lost."),
}


def action_view(action: GuestAction) -> Any:
    """Return the view of a plain action."""
    title, text = _TEXTS[action]
    name = "Guest" + "".join(part.capitalize() for part in action.verb.split("-")) + "View"
    view = type(name, (GuestActionView,), {"action": action, "__doc__": text})
    described = extend_schema(
        operation_id=f"guest_{action.verb.replace('-', '_')}",
        summary=title,
        description=text,
        request=EmptyIn,
        responses={202: AcceptedOut},
        examples=[OpenApiExample("No body is needed", value={}, request_only=True)],
    )
    view.post = described(_copy(GuestActionView.post))  # type: ignore[attr-defined]
    return view.as_view()  # type: ignore[attr-defined]


def _copy(method: Any) -> Any:
    def post(self: GuestActionView, request: Request, guest_id: UUID) -> Response:
        answer: Response = method(self, request, guest_id)
        return answer

    return post


PLAIN_ACTIONS = [action for action in ACTIONS if action in _TEXTS]


class GuestResetRootPasswordView(GuestActionView):
    """``…/actions/reset-root-password``."""

    @extend_schema(
        operation_id="guest_reset_root_password",
        summary="Reset root's password",
        request=PasswordIn,
        responses={202: AcceptedOut},
        examples=[OpenApiExample("Let the panel make one", value={}, request_only=True)],
    )
    def post(self, request: Request, guest_id: UUID) -> Response:
        """Gives root a new password: yours, or one that is made and shown once in this answer. A running
        guest is restarted, and applies it while booting.
        """
        guest = self.guest(guest_id, Permission.GUEST_OPERATE)
        body = parsed(PasswordIn, request)
        job, password = guest_reset_root_password(
            actor=self.actor, guest=guest, root_password=body.get("root_password")
        )
        return accepted(guest, job, self, root_password=password)


class GuestRebuildView(GuestActionView):
    """``…/actions/rebuild``."""

    @extend_schema(
        operation_id="guest_rebuild",
        summary="Rebuild a guest",
        request=RebuildIn,
        responses={202: AcceptedOut},
        examples=[OpenApiExample("The same image again", value={}, request_only=True),
                  OpenApiExample("Another image", value={"image": "debian-12"}, request_only=True)],
    )  # fmt: skip
    def post(self, request: Request, guest_id: UUID) -> Response:
        """Reinstalls it from an image. Everything on its disk is lost; name, addresses and size stay."""
        guest = self.guest(guest_id, Permission.GUEST_OPERATE)
        body = parsed(RebuildIn, request)
        if "image" in body:
            body["image"] = image_chosen(self.actor, body["image"])
        if "ssh_keys" in body:
            body["ssh_keys"] = keys_resolve(customer=guest.customer, items=body["ssh_keys"])
        job, password = guest_rebuild(actor=self.actor, guest=guest, **body)
        return accepted(guest, job, self, root_password=password)
