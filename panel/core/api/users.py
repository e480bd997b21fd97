"""``/users``: people who can sign in; for administrators."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.input import EmptyIn, StrictSerializer
from panel.core.api.members import LINK_HELP, LinkOut
from panel.core.api.paging import page
from panel.core.api.query import bool_param, text_param
from panel.core.api.schema import list_parameters, page_of, shown_before
from panel.core.api.views import PanelView, check_if_match, parsed, with_etag
from panel.core.models import StaffRole, User
from panel.core.people.users import set_password_path, user_create, user_set_password_link, user_update
from panel.core.permissions import Permission
from panel.core.selectors import user_get_for, user_list_for

SORTS = {"created_at": "created_at", "email": "email"}


class UserIn(StrictSerializer):
    """A user as they are made."""

    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    staff_role = serializers.ChoiceField(StaffRole.choices, required=False, allow_blank=True)


class UserChangeIn(StrictSerializer):
    """What can be changed of a user."""

    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    staff_role = serializers.ChoiceField(StaffRole.choices, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)


class UserCustomerOut(serializers.Serializer[Any]):
    """A customer the user belongs to."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.CharField()


class UserOut(serializers.Serializer[Any]):
    """A person who can sign in."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    staff_role = serializers.CharField(help_text="Empty for people who are not of the hosting company.")
    is_active = serializers.BooleanField()
    has_password = serializers.BooleanField()
    last_login_at = serializers.DateTimeField(allow_null=True)
    customers = UserCustomerOut(many=True)
    made_for = serializers.UUIDField(
        allow_null=True,
        help_text="The customer whose owner made the account and may hold it; null once staff have handed it over.",
    )
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class UserCreatedOut(UserOut):
    """The answer to making a user."""

    set_password_url = serializers.CharField(allow_null=True, help_text=LINK_HELP)
    set_password_url_shown = shown_before()


def user_json(user: User) -> dict[str, Any]:
    """Return a user as staff see them."""
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "staff_role": user.staff_role,
        "is_active": user.is_active,
        "has_password": user.has_usable_password(),
        "last_login_at": user.last_login,
        "customers": [{"id": m.customer_id, "name": m.customer.name, "role": m.role} for m in user.memberships.all()],
        "made_for": user.made_for_id,
        "created_at": user.created_at,
        "version": user.version,
    }


class UserListView(PanelView):
    """All users."""

    permissions = {"GET": Permission.USER_VIEW, "POST": Permission.USER_MANAGE}

    @extend_schema(
        summary="List users",
        parameters=list_parameters(
            SORTS,
            OpenApiParameter("search", str, description="Part of the e-mail address."),
            OpenApiParameter("staff", bool, description="Only people of the hosting company, or only others."),
        ),
        responses=page_of(UserOut),
    )
    def get(self, request: Request) -> Response:
        rows = user_list_for(self.actor).prefetch_related("memberships__customer")
        if search := text_param(request, "search"):
            rows = rows.filter(email__icontains=search)
        staff = bool_param(request, "staff")
        if staff is not None:
            rows = rows.exclude(staff_role="") if staff else rows.filter(staff_role="")
        return page(request, rows, show=user_json, sorts=SORTS, filters=("search", "staff"))

    @extend_schema(summary="Create a user", request=UserIn, responses={201: UserCreatedOut})
    def post(self, request: Request) -> Response:
        user = user_create(actor=self.actor, **parsed(UserIn, request))
        url = request.build_absolute_uri(set_password_path(user))
        response = Response({**user_json(user), "set_password_url": url}, status=201)
        response["Location"] = f"{request.path}/{user.pk}"
        return with_etag(response, user.version)


class UserDetailView(PanelView):
    """One user."""

    permissions = {"GET": Permission.USER_VIEW, "PATCH": Permission.USER_MANAGE}

    @extend_schema(summary="Get a user", responses=UserOut)
    def get(self, request: Request, user_id: UUID) -> Response:
        user = user_get_for(self.actor, user_id)
        return with_etag(Response(user_json(user)), user.version)

    @extend_schema(
        summary="Change a user",
        description="`is_active: false` ends their sign-in, open pages and tokens. The last administrator stays one.",
        request=UserChangeIn,
        responses=UserOut,
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        user = user_get_for(self.actor, user_id, lock=True)
        check_if_match(request, user.version)
        user = user_update(actor=self.actor, user=user, changes=parsed(UserChangeIn, request, partial=True))
        return with_etag(Response(user_json(user)), user.version)


class UserLinkView(PanelView):
    """A set-password link, for who is new or forgot."""

    permissions = {"POST": Permission.USER_MANAGE}

    @extend_schema(
        summary="Make a set-password link",
        description="To hand over. An account that a customer made (`made_for`) is taken from whoever may hold it: its "
        "password, sessions and tokens end at once.",
        request=EmptyIn,
        responses=LinkOut,
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        user = user_get_for(self.actor, user_id)
        parsed(EmptyIn, request)
        path = user_set_password_link(actor=self.actor, user=user)
        return Response({"set_password_url": request.build_absolute_uri(path)})
