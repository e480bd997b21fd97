"""``/search``: one box for everything; in the wiring because it looks into every app."""

from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hosts.selectors import host_list_for
from panel.core.actors import Actor
from panel.core.api.query import text_param
from panel.core.api.views import PanelView
from panel.core.errors import InvalidInputError
from panel.core.permissions import Permission
from panel.core.selectors import customer_list_for, job_list_for
from vms.selectors import guest_list_for, guest_search

MOST = 6  # of each kind

Found = dict[str, Any]


class FoundOut(serializers.Serializer[Any]):
    """Something that was found."""

    type = serializers.ChoiceField(["guest", "host", "customer", "job"])
    id = serializers.UUIDField()
    name = serializers.CharField()
    detail = serializers.CharField(help_text="A word to tell namesakes apart: the customer, the location, the state.")


class SearchOut(serializers.Serializer[Any]):
    """At most six of each kind, best first."""

    results = FoundOut(many=True)


def search_all(actor: Actor, text: str) -> list[Found]:
    """Return what the actor sees that has ``text`` in its name or as its address, MAC, id or external id."""
    return [found for look in (_guests, _hosts, _customers, _jobs) for found in look(actor, text)]


def _found(kind: str, pk: UUID, name: str, detail: str) -> Found:
    return {"type": kind, "id": pk, "name": name, "detail": detail}


def _is_id(text: str) -> Q:
    try:
        return Q(pk=UUID(text))
    except ValueError:
        return Q(pk__in=[])


def _best(rows: QuerySet[Any], text: str) -> list[Any]:
    """Return the first ones: what is called exactly so or has this address or id, then names that begin with it."""
    exact = Q(name__iexact=text) | ~Q(name__icontains=text)
    rank = Case(
        When(exact, then=Value(0)), When(name__istartswith=text, then=Value(1)), default=Value(2),
        output_field=IntegerField(),
    )  # fmt: skip
    return list(rows.annotate(rank=rank).order_by("rank", "name", "id").distinct()[:MOST])


def _guests(actor: Actor, text: str) -> list[Found]:
    if not actor.may_somewhere(Permission.GUEST_VIEW):
        return []
    rows = _best(guest_search(guest_list_for(actor), text), text)
    return [_found("guest", guest.pk, guest.name, guest.customer.name) for guest in rows]


def _hosts(actor: Actor, text: str) -> list[Found]:
    if not actor.may(Permission.FLEET_VIEW):
        return []
    named = Q(name__icontains=text) | Q(address=text) | _is_id(text)
    rows = _best(host_list_for(actor).prefetch_related(None).filter(named), text)
    return [_found("host", host.pk, host.name, host.location) for host in rows]


def _customers(actor: Actor, text: str) -> list[Found]:
    if not actor.may_somewhere(Permission.CUSTOMER_VIEW):
        return []
    named = Q(name__icontains=text) | Q(external_id=text) | _is_id(text)
    rows = _best(customer_list_for(actor).filter(named), text)
    return [_found("customer", customer.pk, customer.name, customer.external_id or "") for customer in rows]


def _jobs(actor: Actor, text: str) -> list[Found]:
    if not actor.may_somewhere(Permission.JOB_VIEW):
        return []
    return [_found("job", job.pk, job.action, job.status) for job in job_list_for(actor).filter(_is_id(text))]


class SearchView(PanelView):
    """One box for everything."""

    permissions: dict[str, Permission | None] = {"GET": None}

    @extend_schema(
        summary="Search everything",
        description="Servers by part of a name, or by address, MAC, id or external id; hosts (staff) and customers by "
        "part of a name, id or external id; jobs by id. Only what you may see.",
        parameters=[OpenApiParameter("q", str, required=True, description="What to look for.")],
        responses=SearchOut,
    )
    def get(self, request: Request) -> Response:
        text = text_param(request, "q")
        if text is None:
            raise InvalidInputError(fields={"q": "Say what to look for."})
        return Response({"results": search_all(self.actor, text)})
