"""HTTP for plans."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors
from billing.api.inputs import PlanIn, PlanPatchIn
from billing.api.outputs import PlanOut, plan_json
from billing.models import Plan
from billing.services import plans as services
from hosts.api.filters import page_of, parameter, sort_parameter
from hosts.drivers.types import HostType
from panel.core.api.input import EmptyIn
from panel.core.api.paging import page
from panel.core.api.query import bool_param, choice_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.permissions import Permission

EXAMPLE = OpenApiExample(
    "A small server",
    value={
        "slug": "small",
        "name": "Small",
        "host_types": ["kvm", "lxc"],
        "vcpus": 1,
        "memory_mib": 1024,
        "disk_gib": 20,
        "price_monthly": "4.90",
        "price_hourly": "0.008",
        "currency": "EUR",
    },
    request_only=True,
)


def shown(plan: Plan, *, status: int = 200) -> Response:
    """Return a plan with its ETag."""
    return with_etag(Response(plan_json(plan), status=status), plan.version)


class PlanListView(PanelView):
    """``/plans``."""

    permissions = {"GET": Permission.PLAN_VIEW, "POST": Permission.PLAN_MANAGE}

    @extend_schema(
        operation_id="plan_list",
        summary="List plans",
        parameters=[
            parameter("host_type", "Only plans for this type.", enum=list(HostType)),
            parameter("archived", "`true`: those no longer sold (staff and billing). Default: `false`.",
                      enum=["true", "false"]),
            sort_parameter("created_at", "slug", default="slug"),
            *PAGING,
        ],
        responses=page_of(PlanOut),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What can be ordered, with prices."""
        rows = selectors.plan_list_for(self.actor, archived=bool_param(request, "archived") or False)
        if host_type := choice_param(request, "host_type", HostType):
            rows = rows.filter(host_types__contains=[host_type])
        sorts = {"created_at": "created_at", "slug": "slug"}
        return page(request, rows, show=plan_json, sorts=sorts, default="slug", filters=("host_type", "archived"))

    @extend_schema(
        operation_id="plan_create",
        summary="Add a plan",
        request=PlanIn,
        responses={201: PlanOut},
        examples=[EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """It can be ordered at once."""
        plan = services.plan_create(actor=self.actor, **parsed(PlanIn, request))
        response = shown(plan, status=201)
        response["Location"] = f"/api/v1/plans/{plan.pk}"
        return response


class PlanView(PanelView):
    """``/plans/{id or slug}``."""

    permissions = {"GET": Permission.PLAN_VIEW, "PATCH": Permission.PLAN_MANAGE}

    @extend_schema(operation_id="plan_get", summary="Get a plan", responses=PlanOut)
    def get(self, request: Request, plan: str) -> Response:
        """One plan, by id or slug."""
        return shown(selectors.plan_get_for(self.actor, plan))

    @extend_schema(
        operation_id="plan_edit",
        summary="Edit a plan",
        request=PlanPatchIn,
        responses=PlanOut,
        examples=[OpenApiExample("Another price", value={"price_monthly": "5.90"}, request_only=True)],
    )
    def patch(self, request: Request, plan: str) -> Response:
        """Only while nobody has ordered it; afterwards 409 `invalid_state`: archive it and add a new one."""
        found = selectors.plan_get_for(self.actor, plan, lock=True)
        check_if_match(request, found.version)
        changes = parsed(PlanPatchIn, request, partial=True)
        return shown(services.plan_edit(actor=self.actor, plan=found, changes=changes))


class PlanArchiveView(PanelView):
    """``/plans/{id or slug}/actions/archive``."""

    permissions = {"POST": Permission.PLAN_MANAGE}

    @extend_schema(operation_id="plan_archive", summary="Archive a plan", request=EmptyIn, responses=PlanOut)
    def post(self, request: Request, plan: str) -> Response:
        """It is no longer sold; whoever has it keeps it. 200 also when it is so already."""
        parsed(EmptyIn, request)
        found = selectors.plan_get_for(self.actor, plan)
        return shown(services.plan_archive(actor=self.actor, plan=found))
