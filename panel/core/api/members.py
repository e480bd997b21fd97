"""``/customers/{id}/members``: who belongs to a customer."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.actors import Actor
from panel.core.api.input import EmptyIn, StrictSerializer
from panel.core.api.paging import page
from panel.core.api.schema import list_parameters, page_of, shown_before
from panel.core.api.views import PanelView, parsed
from panel.core.models import CustomerRole, Membership
from panel.core.people.members import member_add, member_remove, member_set_password_link, member_set_role
from panel.core.permissions import Permission
from panel.core.selectors import customer_get_for, member_get_for, member_list_for

SORTS = {"created_at": "created_at"}
LINK_HELP = "Shown only now, works once, for 24 hours. Hand it over: it is as good as a password."


class MemberIn(StrictSerializer):
    """Somebody to add."""

    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(CustomerRole.choices)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)


class RoleIn(StrictSerializer):
    """A member's new role."""

    role = serializers.ChoiceField(CustomerRole.choices)


class MemberUserOut(serializers.Serializer[Any]):
    """The person."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField(help_text="Empty when they belong elsewhere too: then only staff see who they are.")
    is_active = serializers.BooleanField(allow_null=True, help_text="Null when they belong elsewhere too.")
    has_password = serializers.BooleanField(
        allow_null=True, help_text="False until the set-password link was used; null when they belong elsewhere too."
    )


class MemberOut(serializers.Serializer[Any]):
    """A person's role with a customer."""

    user = MemberUserOut()
    role = serializers.ChoiceField(CustomerRole.choices)
    created_at = serializers.DateTimeField()


class MemberAddedOut(MemberOut):
    """The answer to adding a member."""

    set_password_url = serializers.CharField(allow_null=True, help_text=f"For a new user. {LINK_HELP}")
    set_password_url_shown = shown_before()


class LinkOut(serializers.Serializer[Any]):
    """A link to hand over."""

    set_password_url = serializers.CharField(allow_null=True, help_text=LINK_HELP)
    set_password_url_shown = shown_before()


def member_json(actor: Actor, membership: Membership) -> dict[str, Any]:
    """Return a member, read by ``selectors.member_list_for``, as the API shows them to the caller."""
    user = membership.user
    known = membership.known_here or actor.may(Permission.USER_VIEW)  # type: ignore[attr-defined]
    return {
        "user": {
            "id": user.pk,
            "email": user.email,
            "name": user.name if known else "",
            "is_active": user.is_active if known else None,
            "has_password": user.has_usable_password() if known else None,
        },
        "role": membership.role,
        "created_at": membership.created_at,
    }


class MemberListView(PanelView):
    """A customer's members."""

    permissions = {"GET": Permission.MEMBER_VIEW, "POST": Permission.MEMBER_MANAGE}

    def must_see(self) -> None:
        customer_get_for(self.actor, self.kwargs["customer_id"])

    @extend_schema(summary="List members", parameters=list_parameters(SORTS), responses=page_of(MemberOut))
    def get(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id)
        return page(
            request,
            member_list_for(self.actor, customer),
            show=lambda row: member_json(self.actor, row),
            sorts=SORTS,
            filters=(),
        )

    @extend_schema(
        summary="Add a member",
        description="Somebody the panel does not know becomes a user; the answer then has their set-password link. "
        "An account that an owner made is this customer's alone: other customers get 409 `conflict` for its address "
        "until the hosting company has handed it over. Of somebody known nothing is told.",
        request=MemberIn,
        responses={201: MemberAddedOut},
    )
    def post(self, request: Request, customer_id: UUID) -> Response:
        customer = customer_get_for(self.actor, customer_id)
        self.actor.require(Permission.MEMBER_MANAGE, customer.pk)
        given = parsed(MemberIn, request)
        added = member_add(actor=self.actor, customer=customer, **given)
        path = added.set_password_path
        url = request.build_absolute_uri(path) if path else None
        membership = member_get_for(self.actor, customer, added.membership.user_id)
        return Response({**member_json(self.actor, membership), "set_password_url": url}, status=201)


class MemberDetailView(PanelView):
    """One member."""

    permissions = {
        "GET": Permission.MEMBER_VIEW,
        "PATCH": Permission.MEMBER_MANAGE,
        "DELETE": Permission.MEMBER_MANAGE,
    }

    def must_see(self) -> None:
        customer_get_for(self.actor, self.kwargs["customer_id"])

    def _member(self, customer_id: UUID, user_id: UUID) -> Membership:
        return member_get_for(self.actor, customer_get_for(self.actor, customer_id), user_id)

    @extend_schema(summary="Get a member", responses=MemberOut)
    def get(self, request: Request, customer_id: UUID, user_id: UUID) -> Response:
        return Response(member_json(self.actor, self._member(customer_id, user_id)))

    @extend_schema(
        summary="Change a member's role",
        description="The last owner stays an owner (409 `invalid_state`).",
        request=RoleIn,
        responses=MemberOut,
    )
    def patch(self, request: Request, customer_id: UUID, user_id: UUID) -> Response:
        membership = self._member(customer_id, user_id)
        self.actor.require(Permission.MEMBER_MANAGE, customer_id)
        role = parsed(RoleIn, request)["role"]
        return Response(member_json(self.actor, member_set_role(actor=self.actor, membership=membership, role=role)))

    @extend_schema(
        summary="Remove a member",
        description="Their access ends at once. The last owner cannot be removed (409 `invalid_state`).",
        responses={204: None},
    )
    def delete(self, request: Request, customer_id: UUID, user_id: UUID) -> Response:
        member_remove(actor=self.actor, membership=self._member(customer_id, user_id))
        return Response(status=204)


class MemberLinkView(PanelView):
    """A new set-password link for a member who never used the first."""

    permissions = {"POST": Permission.MEMBER_MANAGE}

    def must_see(self) -> None:
        customer_get_for(self.actor, self.kwargs["customer_id"])

    @extend_schema(
        summary="Make a set-password link for a new member",
        description="Only for a member without a password whose account was made for this customer.",
        request=EmptyIn,
        responses=LinkOut,
    )
    def post(self, request: Request, customer_id: UUID, user_id: UUID) -> Response:
        membership = member_get_for(self.actor, customer_get_for(self.actor, customer_id), user_id)
        parsed(EmptyIn, request)
        path = member_set_password_link(actor=self.actor, membership=membership)
        return Response({"set_password_url": request.build_absolute_uri(path)})
