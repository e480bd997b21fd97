"""HTTP for networks and addresses."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosts import selectors
from hosts.api.filters import page_of, parameter, sort_parameter
from hosts.api.inputs import NetworkIn, NetworkPatchIn
from hosts.api.network_outputs import NetworkAddressOut, NetworkOut, address_json, addresses_named, network_json
from hosts.models import Host
from hosts.services import networks as services
from panel.core.actors import Actor
from panel.core.api.paging import page
from panel.core.api.query import bool_param, choice_param, text_param, uuid_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.permissions import Permission

EXAMPLE = OpenApiExample(
    "A public subnet that is routed to the host",
    value={
        "name": "public-1",
        "kind": "routed",
        "bridge": "br-public",
        "cidr_v4": "203.0.113.0/24",
        "gateway_v4": "203.0.113.1",
        "reserved": ["203.0.113.2-203.0.113.9"],
        "dns_servers": ["9.9.9.9"],
        "hosts": ["0b7cf6b1-3f6c-4b0e-8f0e-5c1f4f0f0a01"],
    },
    request_only=True,
)


def _hosts(actor: Actor, ids: list[UUID]) -> list[Host]:
    try:
        return selectors.hosts_named(actor, ids)
    except NotFoundError as error:
        raise InvalidInputError(fields={"hosts": str(error)}) from error


class NetworkListView(PanelView):
    """``/networks``."""

    permissions = {"GET": Permission.FLEET_VIEW, "POST": Permission.FLEET_MANAGE}

    @extend_schema(
        operation_id="network_list",
        summary="List networks",
        parameters=[
            parameter("host", "Only networks that this host carries.", schema=UUID),
            parameter("enabled", "Only those that are, or are not, in use for new guests.", enum=["true", "false"]),
            sort_parameter("created_at", "name", default="name"),
            *PAGING,
        ],
        responses=page_of(NetworkOut),
    )
    def get(self, request: Request) -> Response:
        """The subnets that guests get addresses from, with how many are left."""
        rows = selectors.network_list_for(self.actor)
        if host_id := uuid_param(request, "host"):
            rows = rows.filter(hosts=host_id)
        if (enabled := bool_param(request, "enabled")) is not None:
            rows = rows.filter(enabled=enabled)
        return page(
            request,
            rows,
            show=network_json,
            sorts={"created_at": "created_at", "name": "name"},
            default="name",
            prepare=selectors.networks_counted,
            filters=("host", "enabled"),
        )

    @extend_schema(
        operation_id="network_create",
        summary="Add a network",
        request=NetworkIn,
        responses={201: NetworkOut},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Enters a subnet and the bridge that carries it. The panel makes neither the bridge nor the route."""
        fields = parsed(NetworkIn, request)
        hosts, enabled = _hosts(self.actor, fields.pop("hosts", [])), fields.pop("enabled", True)
        network = services.network_create(actor=self.actor, hosts=hosts, **fields)
        if not enabled:
            network = services.network_edit(actor=self.actor, network=network, changes={"enabled": False})
        body = network_json(selectors.networks_counted([network])[0])
        response = Response(body, status=201, headers={"Location": f"/api/v1/networks/{network.pk}"})
        return with_etag(response, network.version)


class NetworkView(PanelView):
    """``/networks/{id}``."""

    permissions = {
        "GET": Permission.FLEET_VIEW,
        "PATCH": Permission.FLEET_MANAGE,
        "DELETE": Permission.FLEET_MANAGE,
    }

    def shown(self, network_id: UUID) -> Response:
        """Return the network as it is now."""
        network = selectors.network_get_for(self.actor, network_id)
        return with_etag(Response(network_json(selectors.networks_counted([network])[0])), network.version)

    @extend_schema(operation_id="network_get", summary="Get a network", responses=NetworkOut)
    def get(self, request: Request, network_id: UUID) -> Response:
        """One network."""
        return self.shown(network_id)

    @extend_schema(
        operation_id="network_edit",
        summary="Edit a network",
        request=NetworkPatchIn,
        responses=NetworkOut,
        examples=[OpenApiExample("Hand out no more addresses", value={"enabled": False}, request_only=True)],
    )
    def patch(self, request: Request, network_id: UUID) -> Response:
        """Name, DNS servers, reserved addresses, hosts and `enabled` can be changed at any time; the rest while
        no address is taken (409 `invalid_state` otherwise).
        """
        network = selectors.network_get_for(self.actor, network_id, lock=True)
        check_if_match(request, network.version)
        changes = parsed(NetworkPatchIn, request, partial=True)
        hosts = _hosts(self.actor, changes.pop("hosts")) if "hosts" in changes else None
        services.network_edit(actor=self.actor, network=network, changes=changes, hosts=hosts)
        return self.shown(network_id)

    @extend_schema(operation_id="network_delete", summary="Delete a network", responses={204: None})
    def delete(self, request: Request, network_id: UUID) -> Response:
        """Refused with 409 `invalid_state` while a guest uses it."""
        network = selectors.network_get_for(self.actor, network_id, lock=True)
        check_if_match(request, network.version)
        services.network_delete(actor=self.actor, network=network)
        return Response(status=204)


class AddressListView(PanelView):
    """``/addresses``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="address_list",
        summary="List addresses",
        parameters=[
            parameter("network", "Only this network's.", schema=UUID),
            parameter("guest", "Only this guest's.", schema=UUID),
            parameter("family", "4 or 6.", enum=["4", "6"]),
            parameter("taken", "Only those that a guest has, or only the free ones.", enum=["true", "false"]),
            parameter("search", "An address, a subnet such as 10.0.0.0/28, or how an address begins."),
            sort_parameter("address", "created_at", default="address"),
            *PAGING,
        ],
        responses=page_of(NetworkAddressOut),
    )
    def get(self, request: Request) -> Response:
        """Every IPv4 address of every network, free or taken, and the IPv6 addresses that are taken."""
        rows = selectors.address_list_for(self.actor)
        if network_id := uuid_param(request, "network"):
            rows = rows.filter(network_id=network_id)
        if guest_id := uuid_param(request, "guest"):
            rows = rows.filter(owner_id=guest_id)
        if family := choice_param(request, "family", ["4", "6"]):
            rows = rows.filter(family=int(family))
        if (taken := bool_param(request, "taken")) is not None:
            rows = rows.filter(owner_id__isnull=not taken)
        if search := text_param(request, "search"):
            rows = selectors.address_search(rows, search)
        sorts = {"address": "address", "created_at": "created_at"}
        return page(
            request,
            rows,
            show=address_json,
            sorts=sorts,
            default="address",
            prepare=addresses_named,
            filters=("network", "guest", "family", "taken", "search"),
        )
