"""HTTP for taking over a domain that the panel has not made."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.selectors import plan_chosen
from billing.services.adoption import adopt
from hosts.models import Network
from panel.core.api.input import StrictSerializer
from panel.core.api.views import PanelView, parsed
from panel.core.errors import InvalidInputError
from panel.core.permissions import Permission
from panel.core.selectors import customer_list_for
from vms.api.serializers import AcceptedOut
from vms.api.views import accepted
from vms.selectors import difference_get_for
from vms.services.adoption import AdoptRequest
from vms.services.adoption_nics import NicRequest


class AdoptNicIn(StrictSerializer):
    """What is known of one of its nics."""

    mac = serializers.RegexField(r"^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$")
    network = serializers.UUIDField(required=False, allow_null=True, help_text="Without it: by its bridge.")
    addresses = serializers.ListField(
        child=serializers.IPAddressField(), required=False, max_length=64, help_text="Without them: as found."
    )


class AdoptIn(StrictSerializer):
    """Whose it becomes, and what cannot be seen from outside."""

    customer = serializers.UUIDField()
    name = serializers.RegexField(
        r"^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        required=False,
        error_messages={"invalid": "Use a host name: letters a to z, digits, hyphens and dots, at most 63 characters."},
    )
    plan = serializers.CharField(required=False, allow_null=True, help_text="Id or slug, of the size it has.")
    nics = AdoptNicIn(many=True, required=False)
    over_limit = serializers.BooleanField(
        required=False, default=False, help_text="Also above the customer's quota and the host's room."
    )
    accept_host_root = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Also a container without a user namespace, whose root may become root of its host.",
    )


class DifferenceAdoptView(PanelView):
    """``/differences/{id}/actions/adopt``."""

    permissions = {"POST": Permission.FLEET_MANAGE}

    @extend_schema(
        operation_id="difference_adopt",
        summary="Take a domain over",
        request=AdoptIn,
        responses={202: AcceptedOut},
        examples=[
            OpenApiExample(
                "A server with one address",
                value={
                    "customer": "0e6a9b4c-3c5e-4a86-9f0e-8b9b1f6f7c11",
                    "name": "legacy",
                    "nics": [{"mac": "52:54:00:12:34:56", "addresses": ["203.0.113.7"]}],
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Makes a domain that the panel has not made a customer's guest, without stopping it. It keeps its id, sizes,
        disks and MACs, and its name on the host; its nics may send from the stated addresses alone from then on.
        Block devices, and a container's root file system, are left alone: neither grown nor deleted. Where `found` says
        `user_namespace: false` the container's root may become root of its host: `accept_host_root` is needed then.
        What cannot be taken over is refused before anything is changed; a job that fails leaves it as it was.
        """
        difference = difference_get_for(self.actor, difference_id)
        body = parsed(AdoptIn, request)
        customer = customer_list_for(self.actor).filter(pk=body["customer"], deleted_at__isnull=True).first()
        if customer is None:
            raise InvalidInputError(fields={"customer": "There is no such customer."})
        plan = plan_chosen(self.actor, body["plan"]) if body.get("plan") else None
        wanted = AdoptRequest(
            customer=customer,
            name=body.get("name", ""),
            nics=tuple(_nic(nic) for nic in body.get("nics", [])),
            plan_slug=plan.slug if plan else "",
            over_limit=body["over_limit"],
            accept_host_root=body["accept_host_root"],
            params={"plan": str(plan.pk) if plan else None},
        )
        guest, job = adopt(actor=self.actor, difference=difference, request=wanted, plan=plan)
        return accepted(guest, job, self)


def _nic(nic: dict[str, Any]) -> NicRequest:
    network = None
    if nic.get("network"):
        network = Network.objects.filter(pk=nic["network"]).first()
        if network is None:
            raise InvalidInputError(fields={f"nics.{nic['mac'].lower()}": "There is no such network."})
    return NicRequest(mac=nic["mac"].lower(), network=network, addresses=tuple(nic.get("addresses", ())))
