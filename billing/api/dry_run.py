"""Dry runs: an order read as far as it can be, and the answer that says what it would come to."""

from collections.abc import Iterator
from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.outputs import PriceOut, price_json
from billing.services.orders import Quote
from hosts.services.placement import Verdict
from panel.core.api.input import StrictSerializer
from panel.core.api.query import bool_param

DRY_RUN = OpenApiParameter(
    "dry_run", bool, description="`true`: say what it would cost and whether it can be done, and do nothing (200)."
)


class FieldErrorOut(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField()
    message = serializers.CharField()


class VerdictOut(serializers.Serializer[Any]):
    """What placement thinks of one host."""

    host = serializers.UUIDField()
    host_name = serializers.CharField()
    chosen = serializers.BooleanField(help_text="The server would be made here.")
    refusal = serializers.CharField(allow_blank=True, help_text="Why it cannot be made here; empty when it can.")


HOSTS_SHOWN = 50

QuoteOut = inline_serializer(
    "Quote",
    fields={
        "price": PriceOut(allow_null=True, help_text="Null without a plan."),
        "errors": FieldErrorOut(many=True),
        "feasible": serializers.BooleanField(),
        "reason": serializers.CharField(allow_blank=True, help_text="Why not, in one sentence."),
        "placement": VerdictOut(
            many=True, help_text="Those who see hosts: the one that would be chosen, then the others. Empty for others."
        ),
    },
)


def is_dry_run(request: Request) -> bool:
    """True when the caller only wants to know."""
    return bool_param(request, DRY_RUN.name) or False


def quote_response(quote: Quote) -> Response:
    """Return the answer to a dry run."""
    return Response(
        {
            "price": price_json(quote.plan) if quote.plan else None,
            "errors": [{"field": name, "message": message} for name, message in quote.errors.items()],
            "feasible": quote.feasible,
            "reason": quote.reason,
            "placement": [_verdict(verdict, first=not at) for at, verdict in enumerate(quote.verdicts[:HOSTS_SHOWN])],
        }
    )


def _verdict(verdict: Verdict, *, first: bool) -> dict[str, Any]:
    host, refusal = verdict.candidate.host, verdict.refusal
    return {"host": host.pk, "host_name": host.name, "chosen": first and not refusal, "refusal": refusal}


def read_order(shape: type[StrictSerializer], request: Request) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what could be read of an order, and what is wrong with the rest."""
    given = dict(request.data) if isinstance(request.data, dict) else {}
    errors: dict[str, str] = {}
    checked = shape(data=given)
    while not checked.is_valid():
        found = dict(_leaves(checked.errors))
        errors = found | errors
        left = {name: value for name, value in given.items() if name not in {field.split(".")[0] for field in found}}
        if len(left) == len(given) and checked.partial:
            return {}, errors
        given, checked = left, shape(data=left, partial=True)  # what is missing was named the first time
    return dict(checked.validated_data), errors


def _leaves(errors: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, first sentence) for every field of DRF's nested errors."""
    if isinstance(errors, dict):
        for name, inner in errors.items():
            yield from _leaves(inner, f"{path}.{name}".strip("."))
    elif isinstance(errors, list) and errors and not isinstance(errors[0], dict | list):
        yield path, str(errors[0])
    elif isinstance(errors, list):
        for index, inner in enumerate(errors):
            yield from _leaves(inner, f"{path}.{index}")
