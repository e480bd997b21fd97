"""``/me``: who is calling, and staff who act as a customer."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.actors import Actor, ActorKind
from panel.core.api.input import EmptyIn, StrictSerializer
from panel.core.api.views import PanelView, parsed
from panel.core.errors import InvalidStateError
from panel.core.models import Customer, CustomerRole, User
from panel.core.people.acting import acting_start, acting_stop
from panel.core.people.users import THEMES, profile_update
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for


class MeIn(StrictSerializer):
    """What one changes of oneself."""

    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    theme = serializers.ChoiceField(THEMES, required=False)


class MyCustomerOut(serializers.Serializer[Any]):
    """A customer of mine."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(CustomerRole.choices)
    permissions = serializers.ListField(child=serializers.CharField(), help_text="Rights to this customer's things.")


class ActingOut(serializers.Serializer[Any]):
    """The customer staff act for."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class MeOut(serializers.Serializer[Any]):
    """The caller."""

    kind = serializers.ChoiceField([ActorKind.PERSON, ActorKind.INTEGRATION])
    id = serializers.UUIDField(help_text="The user's id, or the integration's.")
    client = serializers.UUIDField(help_text="Owner of tokens, idempotency keys and external ids.")
    email = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    theme = serializers.ChoiceField(THEMES)
    staff_role = serializers.CharField()
    client_role = serializers.CharField()
    read_only = serializers.BooleanField(help_text="The token has scope `read`.")  # type: ignore[assignment]
    permissions = serializers.ListField(child=serializers.CharField(), help_text="Rights to everybody's things.")
    customers = MyCustomerOut(many=True)
    acting_for = ActingOut(allow_null=True)


def me_json(actor: Actor) -> dict[str, Any]:
    """Return the caller as the API shows them."""
    user = User.objects.get(pk=actor.user_id) if actor.user_id else None
    customers = Customer.objects.filter(pk__in=actor.roles, deleted_at__isnull=True).order_by("name", "id")
    return {
        "kind": actor.kind,
        "id": actor.user_id or actor.client_id,
        "client": actor.client_id,
        "email": user.email if user else None,
        "name": user.name if user else actor.label,
        "theme": user.theme if user else THEMES[0],
        "staff_role": actor.staff_role,
        "client_role": actor.client_role,
        "read_only": actor.read_only,
        "permissions": sorted(actor.everywhere),
        "customers": [_mine(actor, customer) for customer in customers],
        "acting_for": next(({"id": c.pk, "name": c.name} for c in customers if c.pk == actor.acting_for), None),
    }


def _mine(actor: Actor, customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.pk,
        "name": customer.name,
        "role": actor.roles[customer.pk],
        "permissions": sorted(actor.rights_at(customer.pk)),
    }


class MeView(PanelView):
    """The caller."""

    permissions = {"GET": None, "PATCH": None}

    @extend_schema(summary="Who am I", responses=MeOut)
    def get(self, request: Request) -> Response:
        return Response(me_json(self.actor))

    @extend_schema(summary="Change my profile", description="People only.", request=MeIn, responses=MeOut)
    def patch(self, request: Request) -> Response:
        profile_update(actor=self.actor, changes=parsed(MeIn, request, partial=True))
        return Response(me_json(self.actor))


class ActForView(PanelView):
    """Begin to act as a customer."""

    permissions = {"POST": Permission.ACT_FOR_CUSTOMER}

    def must_see(self) -> None:
        customer_get_for(self.actor, self.kwargs["customer_id"])

    @extend_schema(
        summary="Act as a customer",
        description="Administrators, in a browser: until `stop-acting`, this session has the rights of the customer's "
        "owner and no others. Beginning, end and everything done are audited.",
        request=EmptyIn,
        responses={204: None},
    )
    def post(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id)
        parsed(EmptyIn, request)
        if self.actor.token_id is not None:
            raise InvalidStateError("Acting as a customer is for a browser's session, not for a token.")
        acting_start(actor=self.actor, session=request._request.session, customer=customer)
        return Response(status=204)


class StopActingView(PanelView):
    """Be oneself again."""

    permissions = {"POST": None}

    @extend_schema(summary="Stop acting as a customer", request=EmptyIn, responses={204: None})
    def post(self, request: Request) -> Response:
        parsed(EmptyIn, request)
        acting_stop(actor=self.actor, session=request._request.session)
        return Response(status=204)
