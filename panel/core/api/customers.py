"""``/customers``: who owns servers."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.actors import Actor
from panel.core.api.input import StrictSerializer
from panel.core.api.paging import page
from panel.core.api.query import text_param
from panel.core.api.schema import list_parameters, page_of
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.models import Customer
from panel.core.people.customers import QUOTAS, customer_create, customer_delete, customer_update
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for, customer_list_for

SORTS = {"created_at": "created_at", "name": "name"}
MAX_QUOTA = 2_000_000_000


def _limit() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=MAX_QUOTA, allow_null=True, required=False)


class QuotaIn(StrictSerializer):
    """The most a customer may have at once; null is unlimited."""

    guests, vcpus, memory_mib, disk_gib, addresses = _limit(), _limit(), _limit(), _limit(), _limit()


class CustomerIn(StrictSerializer):
    """A customer as they are made."""

    name = serializers.CharField(max_length=120)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    external_id = serializers.CharField(
        max_length=120,
        required=False,
        allow_null=True,
        help_text="Your own id of this customer, unique among those you made or gave an id. Setting it on a customer "
        "of another integration makes it your id instead of theirs.",
    )
    quota = QuotaIn(required=False)


class AmountsOut(serializers.Serializer[Any]):
    """An amount of each thing that is limited."""

    guests = serializers.IntegerField(allow_null=True)
    vcpus = serializers.IntegerField(allow_null=True)
    memory_mib = serializers.IntegerField(allow_null=True)
    disk_gib = serializers.IntegerField(allow_null=True)
    addresses = serializers.IntegerField(allow_null=True)


class CustomerOut(serializers.Serializer[Any]):
    """A customer."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    is_house = serializers.BooleanField(help_text="The hosting company itself.")
    role = serializers.CharField(allow_null=True, help_text="Your own role: viewer, member, owner; null for staff.")
    quota = AmountsOut(help_text="null is unlimited.")
    used = AmountsOut()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def customer_json(actor: Actor, customer: Customer) -> dict[str, Any]:
    """Return a customer as the API shows them."""
    return {
        "id": customer.pk,
        "name": customer.name,
        "email": customer.email,
        "external_id": customer.external_id,
        "is_house": customer.is_house,
        "role": actor.roles.get(customer.pk),
        "quota": {name: getattr(customer, f"quota_{name}") for name in QUOTAS},
        "used": {name: getattr(customer, f"used_{name}") for name in QUOTAS},
        "created_at": customer.created_at,
        "updated_at": customer.updated_at,
        "version": customer.version,
    }


_EXAMPLE = OpenApiExample(
    "A customer of a billing system",
    {"name": "Ada Ltd", "email": "ada@example.com", "external_id": "4711", "quota": {"guests": 10}},
    request_only=True,
)


class CustomerListView(PanelView):
    """All customers the caller sees."""

    permissions = {"GET": Permission.CUSTOMER_VIEW, "POST": Permission.CUSTOMER_CREATE}

    @extend_schema(
        summary="List customers",
        parameters=list_parameters(
            SORTS,
            OpenApiParameter("search", str, description="Part of the name."),
            OpenApiParameter("external_id", str, description="Exactly this; an integration finds its own."),
        ),
        responses=page_of(CustomerOut),
    )
    def get(self, request: Request) -> Response:
        rows = customer_list_for(self.actor)
        if search := text_param(request, "search"):
            rows = rows.filter(name__icontains=search)
        if external_id := text_param(request, "external_id"):
            rows = rows.filter(external_id=external_id)
            if self.actor.client_role:
                rows = rows.filter(client_id=self.actor.client_id)
        return page(
            request,
            rows,
            show=lambda row: customer_json(self.actor, row),
            sorts=SORTS,
            filters=("search", "external_id"),
        )

    @extend_schema(
        summary="Create a customer",
        description="Repeating a request with the same `external_id` and content answers 200 with the same customer; "
        "with other content 409 `external_id_conflict`.",
        request=CustomerIn,
        responses={201: CustomerOut, 200: CustomerOut},
        examples=[_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        given = parsed(CustomerIn, request)
        done = customer_create(
            actor=self.actor,
            name=given["name"],
            email=given.get("email", ""),
            external_id=given.get("external_id"),
            quota=given.get("quota", {}),
        )
        response = Response(customer_json(self.actor, done.customer), status=201 if done.created else 200)
        response["Location"] = f"{request.path}/{done.customer.pk}"
        return with_etag(response, done.customer.version)


class CustomerDetailView(PanelView):
    """One customer."""

    permissions = {
        "GET": Permission.CUSTOMER_VIEW,
        "PATCH": Permission.CUSTOMER_EDIT,
        "DELETE": Permission.CUSTOMER_DELETE,
    }

    def must_see(self) -> None:
        customer_get_for(self.actor, self.kwargs["customer_id"])

    @extend_schema(summary="Get a customer", responses=CustomerOut)
    def get(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id)
        return with_etag(Response(customer_json(self.actor, customer)), customer.version)

    @extend_schema(
        summary="Change a customer",
        description="Owners change `name` and `email`; `external_id` and `quota` only the hosting company.",
        request=CustomerIn,
        responses=CustomerOut,
    )
    def patch(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id, lock=True)
        self.actor.require(Permission.CUSTOMER_EDIT, customer.pk)
        check_if_match(request, customer.version)
        changes = parsed(CustomerIn, request, partial=True)
        quota = changes.pop("quota", {})
        changes |= {f"quota_{name}": value for name, value in quota.items()}
        customer = customer_update(actor=self.actor, customer=customer, changes=changes)
        return with_etag(Response(customer_json(self.actor, customer)), customer.version)

    @extend_schema(
        summary="Delete a customer",
        description="Refused with 409 `invalid_state` while they have servers.",
        responses={204: None},
    )
    def delete(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id, lock=True)
        check_if_match(request, customer.version)
        customer_delete(actor=self.actor, customer=customer)
        return Response(status=204)
