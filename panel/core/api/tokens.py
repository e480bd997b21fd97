"""``/tokens`` and ``/clients``: what programs use to call the API."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import StrictSerializer
from panel.core.api.paging import page
from panel.core.api.query import uuid_param
from panel.core.api.schema import list_parameters, page_of, shown_before
from panel.core.api.views import PanelView, parsed
from panel.core.models import ApiClient, ApiToken, ClientRole, TokenScope
from panel.core.people.tokens import client_create, client_update, token_create, token_revoke
from panel.core.permissions import Permission
from panel.core.selectors import client_get_for, client_list_for, token_get_for, token_list_for

SORTS = {"created_at": "created_at"}
ROLES = [choice for choice in ClientRole.choices if choice[0]]


class TokenIn(StrictSerializer):
    """A token as it is made."""

    name = serializers.CharField(max_length=120)
    scope = serializers.ChoiceField(TokenScope.choices, required=False, help_text="Default: write.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Absent or null: never.")
    client = serializers.UUIDField(
        required=False, allow_null=True, help_text="Administrators: the integration it is for. Default: yourself."
    )


class TokenOut(serializers.Serializer[Any]):
    """A token, without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="Its first 16 characters, to tell tokens apart.")
    scope = serializers.ChoiceField(TokenScope.choices)
    client = serializers.UUIDField()
    client_name = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class TokenCreatedOut(TokenOut):
    """The answer to making a token."""

    token = serializers.CharField(allow_null=True, help_text="64 letters and digits. Shown only now.")
    token_shown = shown_before()


class ClientIn(StrictSerializer):
    """An integration as it is made."""

    name = serializers.CharField(max_length=120)
    role = serializers.ChoiceField(ROLES)


class ClientChangeIn(StrictSerializer):
    """What can be changed of an integration."""

    name = serializers.CharField(max_length=120, required=False)
    role = serializers.ChoiceField(ROLES, required=False)
    is_active = serializers.BooleanField(required=False)


class ClientOut(serializers.Serializer[Any]):
    """An integration, such as a billing system."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def token_json(token: ApiToken) -> dict[str, Any]:
    """Return a token as the API shows it: never its secret."""
    names = (
        "name",
        "prefix",
        "scope",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "last_used_address",
        "created_at",
    )
    shown = {name: getattr(token, name) for name in names}
    return {"id": token.pk, "client": token.client_id, "client_name": token.client.name, **shown}


def client_json(client: ApiClient) -> dict[str, Any]:
    """Return an integration as the API shows it."""
    names = ("name", "role", "is_active", "created_at")
    return {"id": client.pk, **{name: getattr(client, name) for name in names}}


class TokenListView(PanelView):
    """Tokens the caller sees."""

    permissions = {"GET": Permission.TOKEN_VIEW, "POST": Permission.TOKEN_MANAGE}

    @extend_schema(
        summary="List tokens",
        description="Your own; administrators and operators see everybody's.",
        parameters=list_parameters(SORTS, OpenApiParameter("client", UUID, description="Whose tokens.")),
        responses=page_of(TokenOut),
    )
    def get(self, request: Request) -> Response:
        rows = token_list_for(self.actor)
        if client := uuid_param(request, "client"):
            rows = rows.filter(client_id=client)
        return page(request, rows, show=token_json, sorts=SORTS, filters=("client",))

    @extend_schema(
        summary="Create a token",
        description="The token has its owner's rights, only reading with scope `read`, and ends with its owner.",
        request=TokenIn,
        responses={201: TokenCreatedOut},
        examples=[OpenApiExample("For a script", {"name": "backup script", "scope": "read"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        given = parsed(TokenIn, request)
        client_id = given.pop("client", None)
        client = None
        if client_id is not None and client_id != self.actor.client_id:
            client = client_get_for(self.actor, client_id)
        made = token_create(actor=self.actor, client=client, **given)
        response = Response({**token_json(made.token), "token": made.value}, status=201)
        response["Location"] = f"{request.path}/{made.token.pk}"
        return response


class TokenDetailView(PanelView):
    """One token."""

    permissions = {"GET": Permission.TOKEN_VIEW, "DELETE": Permission.TOKEN_MANAGE}

    def must_see(self) -> None:
        if not self.actor.is_staff:  # who sees every customer is told that tokens are not theirs
            token_get_for(self.actor, self.kwargs["token_id"])

    @extend_schema(summary="Get a token", responses=TokenOut)
    def get(self, request: Request, token_id: UUID) -> Response:
        return Response(token_json(token_get_for(self.actor, token_id)))

    @extend_schema(
        summary="Revoke a token",
        description="It stops at once. The row stays, with `revoked_at`, because the audit trail names it.",
        responses={204: None},
    )
    def delete(self, request: Request, token_id: UUID) -> Response:
        token_revoke(actor=self.actor, token=token_get_for(self.actor, token_id))
        return Response(status=204)


class ClientListView(PanelView):
    """Integrations."""

    permissions = {"GET": Permission.USER_VIEW, "POST": Permission.USER_MANAGE}

    @extend_schema(summary="List integrations", parameters=list_parameters(SORTS), responses=page_of(ClientOut))
    def get(self, request: Request) -> Response:
        return page(request, client_list_for(self.actor), show=client_json, sorts=SORTS, filters=())

    @extend_schema(
        summary="Create an integration",
        description="Then make it a token with `POST /tokens {client}`.",
        request=ClientIn,
        responses={201: ClientOut},
        examples=[OpenApiExample("A billing system", {"name": "WHMCS", "role": "billing"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        client = client_create(actor=self.actor, **parsed(ClientIn, request))
        response = Response(client_json(client), status=201)
        response["Location"] = f"{request.path}/{client.pk}"
        return response


class ClientDetailView(PanelView):
    """One integration."""

    permissions = {"GET": Permission.USER_VIEW, "PATCH": Permission.USER_MANAGE}

    @extend_schema(summary="Get an integration", responses=ClientOut)
    def get(self, request: Request, client_id: UUID) -> Response:
        return Response(client_json(client_get_for(self.actor, client_id)))

    @extend_schema(
        summary="Change an integration",
        description="`is_active: false` stops its tokens until it is switched on again.",
        request=ClientChangeIn,
        responses=ClientOut,
    )
    def patch(self, request: Request, client_id: UUID) -> Response:
        client = client_get_for(self.actor, client_id)
        changes = parsed(ClientChangeIn, request, partial=True)
        return Response(client_json(client_update(actor=self.actor, client=client, changes=changes)))
