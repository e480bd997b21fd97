"""HTTP for hosts and their pools."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from hosts import selectors
from hosts.api.filters import page_of, parameter, sort_parameter
from hosts.api.inputs import HostPatchIn, PoolPatchIn
from hosts.api.outputs import HostOut, PoolOut, host_json, pool_json
from hosts.drivers.types import HostType
from hosts.models import Host
from hosts.services import hosts as services
from hosts.states import HostState
from panel.core.api.input import EmptyIn
from panel.core.api.job_json import JobOut, job_json
from panel.core.api.paging import page
from panel.core.api.query import choice_param, text_param, uuid_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.permissions import Permission

HostAccepted = inline_serializer("HostAccepted", fields={"host": HostOut(), "job": JobOut()})


class HostListView(PanelView):
    """``/hosts``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="host_list",
        summary="List hosts",
        parameters=[
            parameter("state", "Only hosts in this state.", enum=HostState.values),
            parameter("location", "Only hosts in this location."),
            parameter("host_type", "Only hosts that offer this type.", enum=list(HostType)),
            parameter("search", "Part of a name or an address."),
            sort_parameter("created_at", "name", default="name"),
            *PAGING,
        ],
        responses=page_of(HostOut),
    )
    def get(self, request: Request) -> Response:
        """All hosts with their hypervisors, room, load and when they were last seen. Staff only."""
        rows = selectors.host_list_for(self.actor)
        if state := choice_param(request, "state", HostState.values):
            rows = rows.filter(state=state)
        if location := text_param(request, "location"):
            rows = rows.filter(location=location)
        if host_type := choice_param(request, "host_type", HostType):
            rows = rows.filter(pk__in=Host.objects.filter(connections__host_type=host_type, connections__enabled=True))
        if search := text_param(request, "search"):
            rows = rows.filter(name__icontains=search) | rows.filter(address__icontains=search)
        return page(
            request,
            rows,
            show=host_json,
            sorts={"created_at": "created_at", "name": "name"},
            default="name",
            filters=("state", "location", "host_type", "search"),
        )


class HostView(PanelView):
    """``/hosts/{id}``."""

    permissions = {"GET": Permission.FLEET_VIEW, "PATCH": Permission.FLEET_MANAGE}

    def shown(self, host_id: UUID) -> Response:
        """Return the host as it is now."""
        host = selectors.host_get_for(self.actor, host_id)
        return with_etag(Response(host_json(host)), host.version)

    @extend_schema(operation_id="host_get", summary="Get a host", responses=HostOut)
    def get(self, request: Request, host_id: UUID) -> Response:
        """One host: facts, what it can do and why not, room, load."""
        return self.shown(host_id)

    @extend_schema(
        operation_id="host_edit",
        summary="Edit a host",
        request=HostPatchIn,
        responses=HostOut,
        examples=[OpenApiExample("Sell more vCPUs", value={"cpu_overcommit": "8.0"}, request_only=True)],
    )
    def patch(self, request: Request, host_id: UUID) -> Response:
        """Changes name, location, labels, over-commit or the memory kept for the host. What may be sold is
        computed anew and never falls below what is sold.
        """
        host = selectors.host_get_for(self.actor, host_id, lock=True)
        check_if_match(request, host.version)
        services.host_edit(actor=self.actor, host=host, changes=parsed(HostPatchIn, request, partial=True))
        return self.shown(host_id)


class HostActionView(PanelView):
    """The base of ``/hosts/{id}/actions/…``."""

    permissions = {"POST": Permission.FLEET_MANAGE}

    def host(self, request: Request, host_id: UUID) -> Host:
        """Return the host; the request's body must be empty."""
        parsed(EmptyIn, request)
        return selectors.host_get_for(self.actor, host_id)

    def done(self, host_id: UUID) -> Response:
        """Return 200 and the host as it is now."""
        return Response(host_json(selectors.host_get_for(self.actor, host_id)))


class HostEnterMaintenanceView(HostActionView):
    """``…/enter-maintenance``."""

    @extend_schema(
        operation_id="host_enter_maintenance", summary="Put a host in maintenance", request=EmptyIn, responses=HostOut
    )
    def post(self, request: Request, host_id: UUID) -> Response:
        """No new guests are placed on it; those it has run on. 200 also when it is so already."""
        services.host_maintenance_enter(actor=self.actor, host=self.host(request, host_id))
        return self.done(host_id)


class HostLeaveMaintenanceView(HostActionView):
    """``…/leave-maintenance``."""

    @extend_schema(
        operation_id="host_leave_maintenance", summary="End a host's maintenance", request=EmptyIn, responses=HostOut
    )
    def post(self, request: Request, host_id: UUID) -> Response:
        """New guests may be placed on it again. 200 also when it is so already."""
        services.host_maintenance_leave(actor=self.actor, host=self.host(request, host_id))
        return self.done(host_id)


class HostCheckView(HostActionView):
    """``…/check``."""

    @extend_schema(
        operation_id="host_check", summary="Look at a host", request=EmptyIn, responses={202: HostAccepted}
    )  # fmt: skip
    def post(self, request: Request, host_id: UUID) -> Response:
        """Asks its hypervisors what it is and can do and computes anew what may be sold. Follow the job at
        `Location`; while one is at work on the host, that job is the answer.
        """
        job = services.host_check(actor=self.actor, host=self.host(request, host_id))
        body = {"host": host_json(selectors.host_get_for(self.actor, host_id)), "job": job_json(job, self.actor)}
        return Response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class HostEnrolView(HostCheckView):
    """``…/enrol``."""

    @extend_schema(
        operation_id="host_enrol", summary="Take a host into service", request=EmptyIn, responses={202: HostAccepted}
    )  # fmt: skip
    def post(self, request: Request, host_id: UUID) -> Response:
        """Tries again to take in a host that did not answer when it was added; one in service is looked at as by
        `check`. New hosts are added on the machine itself, by `make up`.
        """
        return super().post(request, host_id)


class PoolListView(PanelView):
    """``/pools``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="pool_list",
        summary="List storage pools",
        parameters=[
            parameter("host", "Only this host's.", schema=UUID),
            sort_parameter("created_at", default="-created_at"),
            *PAGING,
        ],
        responses=page_of(PoolOut),
    )
    def get(self, request: Request) -> Response:
        """The directories that disks are made in, with what may be sold, what is, and what is left."""
        rows = selectors.pool_list_for(self.actor)
        if host_id := uuid_param(request, "host"):
            rows = rows.filter(host_id=host_id)
        return page(request, rows, show=pool_json, sorts={"created_at": "created_at"}, filters=("host",))


class PoolView(PanelView):
    """``/pools/{id}``."""

    permissions = {"GET": Permission.FLEET_VIEW, "PATCH": Permission.FLEET_MANAGE}

    @extend_schema(operation_id="pool_get", summary="Get a storage pool", responses=PoolOut)
    def get(self, request: Request, pool_id: UUID) -> Response:
        """One pool."""
        pool = selectors.pool_get_for(self.actor, pool_id)
        return with_etag(Response(pool_json(pool)), pool.version)

    @extend_schema(operation_id="pool_edit", summary="Edit a storage pool", request=PoolPatchIn, responses=PoolOut)
    def patch(self, request: Request, pool_id: UUID) -> Response:
        """Sets how much thin disk is sold for each GiB there is."""
        pool = selectors.pool_get_for(self.actor, pool_id, lock=True)
        check_if_match(request, pool.version)
        changes = parsed(PoolPatchIn, request)
        services.pool_edit(actor=self.actor, pool=pool, overcommit=changes["overcommit"])
        return self.get(request, pool_id)
