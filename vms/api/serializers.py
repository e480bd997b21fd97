"""A guest in JSON, and what may be sent."""

from typing import Any

from rest_framework import serializers

from hosts.api.inputs import labels_checked
from hosts.drivers.types import HostType, PowerState
from panel.core.actors import Actor
from panel.core.api.input import StrictSerializer
from panel.core.api.job_json import JobOut
from panel.core.api.schema import shown_before
from panel.core.permissions import Permission
from vms.models import Guest
from vms.selectors import STATUSES, guest_status, power_of
from vms.states import RULES, GuestAction, Lifecycle, PowerWanted, refusal


class AddressOut(serializers.Serializer[Any]):
    """An address of a guest."""

    address = serializers.IPAddressField()
    family = serializers.ChoiceField([4, 6])
    mac = serializers.CharField()


class SupportOut(serializers.Serializer[Any]):
    """Whether an action can be asked for now."""

    action = serializers.CharField()
    allowed = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)


class HostKeyOut(serializers.Serializer[Any]):
    """A fingerprint of the guest's SSH server, as it printed it at boot."""

    type = serializers.CharField()
    fingerprint = serializers.CharField()


class GuestOut(serializers.Serializer[Any]):
    """A guest (the customer's server)."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    customer = serializers.UUIDField()
    customer_name = serializers.CharField()
    host = serializers.UUIDField(allow_null=True, help_text="Staff only; null for others.")
    host_name = serializers.CharField(allow_null=True, help_text="Staff only; null for others.")
    host_address = serializers.CharField(
        allow_null=True, help_text="For those who see hosts: where the host is logged in to (`ssh -J`), if known."
    )
    location = serializers.CharField()
    host_type = serializers.ChoiceField([t.value for t in HostType])
    plan = serializers.CharField(allow_null=True, help_text="The plan's slug; null for a size of its own.")
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField(
        help_text="0: a container that was taken over, whose file system is its host's own and of no size of its own."
    )
    image = serializers.CharField(help_text="The image's slug.")
    image_name = serializers.CharField()
    os = serializers.CharField()
    lifecycle = serializers.ChoiceField(Lifecycle.choices, help_text="What the customer has.")
    power_state = serializers.ChoiceField([s.value for s in PowerState], help_text="As the host said lately.")
    power_wanted = serializers.ChoiceField(PowerWanted.choices, help_text="As last asked for.")
    observed_at = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(list(STATUSES), help_text="One word for people, derived from all facts.")
    status_reason = serializers.CharField(allow_blank=True)
    notice = serializers.CharField(allow_blank=True, help_text="What could not be given as sold, in one sentence.")
    suspensions = serializers.ListField(child=serializers.CharField())
    addresses = AddressOut(many=True)
    supports = SupportOut(many=True)
    active_job = serializers.UUIDField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    labels = serializers.DictField(child=serializers.CharField())
    emulated = serializers.BooleanField(help_text="Runs without hardware virtualization: slow.")
    password_set = serializers.BooleanField()
    host_keys = HostKeyOut(many=True)
    ready_at = serializers.DateTimeField(allow_null=True, help_text="When it printed that it was ready.")
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


ACTIONS = [action for action, rule in RULES.items() if rule.customer_action] + [GuestAction.DELETE]


def guest_json(guest: Guest, actor: Actor) -> dict[str, Any]:
    """Return a guest that went through ``selectors.with_details``."""
    job = guest.job_now  # type: ignore[attr-defined]
    reasons = sorted(s.reason for s in guest.suspensions.all())
    status, why = guest_status(guest, job, reasons)
    sees_host = actor.may(Permission.FLEET_VIEW)
    return {
        "id": guest.pk,
        "name": guest.name,
        "customer": guest.customer_id,
        "customer_name": guest.customer.name,
        "host": guest.host_id if sees_host else None,
        "host_name": guest.host.name if sees_host and guest.host else None,
        "host_address": (guest.host.address or None) if sees_host and guest.host else None,
        "location": guest.host.location if guest.host else "",
        "host_type": guest.host_type,
        "plan": guest.plan_slug or None,
        "vcpus": guest.vcpus,
        "memory_mib": guest.memory_mib,
        "disk_gib": guest.disk_gib,
        "image": guest.image.slug,
        "image_name": guest.image.name,
        "os": guest.image.os,
        "lifecycle": guest.lifecycle,
        "power_state": power_of(guest),
        "power_wanted": guest.power_wanted,
        "observed_at": guest.observed_at,
        "status": status,
        "status_reason": why,
        "notice": guest.notice,
        "suspensions": reasons,
        "addresses": [{"address": a.address, "family": a.family, "mac": mac} for a, mac in guest.addresses_now],  # type: ignore[attr-defined]
        "supports": [_support(guest, actor, action, bool(reasons)) for action in ACTIONS],
        "active_job": job.pk if job else None,
        "external_id": guest.external_id,
        "labels": guest.labels,
        "emulated": guest.host_emulated,  # type: ignore[attr-defined]
        "password_set": guest.password_set,
        "host_keys": guest.host_keys,
        "ready_at": guest.booted_at,
        "created_at": guest.created_at,
        "version": guest.version,
    }


def _support(guest: Guest, actor: Actor, action: GuestAction, suspended: bool) -> dict[str, Any]:
    reason = ""
    if not actor.may(RULES[action].permission, guest.customer_id):
        reason = "Your role does not allow this."
    elif guest.lifecycle == Lifecycle.DELETED:
        reason = "The server has been deleted."
    else:
        # Staff end a suspended server's contract; its owner cannot delete it.
        held = suspended and not (action is GuestAction.DELETE and actor.may(Permission.SUBSCRIPTION_MANAGE))
        reason = refusal(
            action,
            lifecycle=guest.lifecycle,
            power_state=power_of(guest),
            suspended=held,
            deleting=guest.deletion_requested_at is not None,
            taken_over=bool(guest.domain_name),
        )
    return {"action": action.verb, "allowed": not reason, "reason": reason}


class GuestPatchIn(StrictSerializer):
    """What may be changed at once."""

    name = serializers.RegexField(
        r"^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        required=False,
        error_messages={"invalid": "Use a host name: letters a to z, digits, hyphens and dots, at most 63 characters."},
    )
    labels = serializers.DictField(child=serializers.CharField(max_length=63, allow_blank=True), required=False)

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        return labels_checked(labels)


class PasswordIn(StrictSerializer):
    """A new root password; without one, one is made and shown once."""

    root_password = serializers.CharField(required=False, allow_null=True, trim_whitespace=False, max_length=128)


class RebuildIn(PasswordIn):
    """What the server is made from; what is left out stays as it is."""

    image = serializers.CharField(required=False, help_text="Id or slug.")
    ssh_keys = serializers.ListField(child=serializers.CharField(max_length=8192), required=False, max_length=50)
    user_data = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    want_password = serializers.BooleanField(required=False, default=False)


class AcceptedOut(serializers.Serializer[Any]):
    """The guest and the job that works on it."""

    guest = GuestOut()
    job = JobOut()
    root_password = serializers.CharField(required=False, allow_null=True, help_text="Shown once, only here.")
    root_password_shown = shown_before()
