"""``/ssh-keys``: public keys for new servers."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import StrictSerializer
from panel.core.api.paging import page
from panel.core.api.query import uuid_param
from panel.core.api.schema import list_parameters, page_of
from panel.core.api.views import PanelView, parsed
from panel.core.models import SshKey
from panel.core.people.customers import customer_choose
from panel.core.people.keys import key_create, key_delete, key_rename
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for, key_get_for, key_list_for

SORTS = {"created_at": "created_at"}


class KeyIn(StrictSerializer):
    """A key as it is kept."""

    name = serializers.CharField(max_length=120)
    public_key = serializers.CharField(
        max_length=20_000, help_text="One line as in id_ed25519.pub: type, base64, comment."
    )
    customer = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="Whose key. Default: your customer; for staff the hosting company's own.",
    )


class KeyNameIn(StrictSerializer):
    """A key's new name."""

    name = serializers.CharField(max_length=120)


class KeyOut(serializers.Serializer[Any]):
    """A public key."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField()
    name = serializers.CharField()
    public_key = serializers.CharField()
    fingerprint = serializers.CharField(help_text="As `ssh-keygen -lf` prints it: SHA256:…")
    created_at = serializers.DateTimeField()


def key_json(key: SshKey) -> dict[str, Any]:
    """Return a key as the API shows it."""
    names = ("name", "public_key", "fingerprint", "created_at")
    return {"id": key.pk, "customer": key.customer_id, **{name: getattr(key, name) for name in names}}


class KeyListView(PanelView):
    """Keys the caller sees."""

    permissions = {"GET": Permission.KEY_VIEW, "POST": Permission.KEY_MANAGE}

    @extend_schema(
        summary="List SSH keys",
        parameters=list_parameters(SORTS, OpenApiParameter("customer", UUID, description="Only this customer's.")),
        responses=page_of(KeyOut),
    )
    def get(self, request: Request) -> Response:
        rows = key_list_for(self.actor)
        if customer := uuid_param(request, "customer"):
            rows = rows.filter(customer=customer_get_for(self.actor, customer))
        return page(request, rows, show=key_json, sorts=SORTS, filters=("customer",))

    @extend_schema(
        summary="Keep an SSH key",
        request=KeyIn,
        responses={201: KeyOut},
        examples=[
            OpenApiExample(
                "An Ed25519 key",
                {
                    "name": "laptop",
                    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KBBuN2OZkU8eC5RFw0lgEkB0BQzHGyCkCHgfJ0qbv me",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = parsed(KeyIn, request)
        customer = customer_choose(
            actor=self.actor, customer_id=given.get("customer"), permission=Permission.KEY_MANAGE
        )
        key = key_create(actor=self.actor, customer=customer, name=given["name"], public_key=given["public_key"])
        response = Response(key_json(key), status=201)
        response["Location"] = f"{request.path}/{key.pk}"
        return response


class KeyDetailView(PanelView):
    """One key."""

    permissions = {"GET": Permission.KEY_VIEW, "PATCH": Permission.KEY_MANAGE, "DELETE": Permission.KEY_MANAGE}

    def must_see(self) -> None:
        key_get_for(self.actor, self.kwargs["key_id"])

    @extend_schema(summary="Get an SSH key", responses=KeyOut)
    def get(self, request: Request, key_id: UUID) -> Response:
        return Response(key_json(key_get_for(self.actor, key_id)))

    @extend_schema(summary="Rename an SSH key", request=KeyNameIn, responses=KeyOut)
    def patch(self, request: Request, key_id: UUID) -> Response:
        key = key_get_for(self.actor, key_id)
        self.actor.require(Permission.KEY_MANAGE, key.customer_id)
        return Response(key_json(key_rename(actor=self.actor, key=key, name=parsed(KeyNameIn, request)["name"])))

    @extend_schema(
        summary="Forget an SSH key",
        description="Servers that were made with it still accept it.",
        responses={204: None},
    )
    def delete(self, request: Request, key_id: UUID) -> Response:
        key_delete(actor=self.actor, key=key_get_for(self.actor, key_id))
        return Response(status=204)
