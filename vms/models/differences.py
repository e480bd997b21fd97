"""What the panel, its hosts and billing do not agree on."""

from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from hosts.models import Host, HostConnection
from panel.core.models import Customer
from panel.core.models.base import Record, VersionedRecord


class DifferenceKind(models.TextChoices):
    """What does not agree. A value is API and never renamed."""

    DOMAIN_WITHOUT_GUEST = "domain-without-guest", "Domain without guest"
    GUEST_WITHOUT_DOMAIN = "guest-without-domain", "Guest without domain"
    WRONG_SIZE = "wrong-size", "Wrong size"
    WRONG_NETWORK = "wrong-network", "Wrong network"
    FILTER_MISSING = "filter-missing", "Filter missing"
    CONFIGURATION_CHANGED = "configuration-changed", "Configuration changed"
    VOLUME_WITHOUT_OWNER = "volume-without-owner", "Volume without owner"
    VOLUME_MISSING = "volume-missing", "Volume missing"
    ADDRESS_NOT_ALLOCATED = "address-not-allocated", "Address in use but not allocated"
    ADDRESS_WITHOUT_GUEST = "address-without-guest", "Address allocated without guest"
    TOTAL_WRONG = "total-wrong", "Total not equal to the sum"
    SUBSCRIPTION_WITHOUT_GUEST = "subscription-without-guest", "Subscription without guest"
    GUEST_OF_ENDED_SUBSCRIPTION = "guest-of-ended-subscription", "Guest of an ended subscription"
    AUTOMATIC_STOPPED = "automatic-stopped", "Automatic actions stopped"
    POOL_LOST_VOLUMES = "pool-lost-volumes", "Pool has none of its volumes"
    HOST_LOST_GUESTS = "host-lost-guests", "Host knows none of its guests"


class Severity(models.TextChoices):
    """How much it matters."""

    HIGH = "high", "High"  # a customer is, or may be, without service or protection
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class DifferenceState(models.TextChoices):
    """Where a difference is. ``suspected`` waits for more proof."""

    SUSPECTED = "suspected", "Suspected"
    OPEN = "open", "Open"
    IGNORED = "ignored", "Ignored"
    CLOSED = "closed", "Closed"


KEY_LENGTH = 200
LIVING = (DifferenceState.SUSPECTED, DifferenceState.OPEN, DifferenceState.IGNORED)


class Difference(VersionedRecord):
    """One thing on which the panel, a host and billing do not agree. ``created_at`` is when it was first seen.

    ``key`` tells what it is about, so that it is seen again and not listed twice. ``expected`` is what the panel has,
    ``found`` what was seen; when they change an ignored difference comes back.
    """

    kind = models.CharField(max_length=32, choices=DifferenceKind)
    severity = models.CharField(max_length=8, choices=Severity)
    state = models.CharField(max_length=12, choices=DifferenceState, default=DifferenceState.OPEN)
    key = models.CharField(max_length=KEY_LENGTH)
    host = models.ForeignKey(Host, null=True, on_delete=models.CASCADE, related_name="differences")
    host_type = models.CharField(max_length=8, blank=True)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="+")
    object_type = models.CharField(max_length=16)  # guest, domain, volume, address, host, pool, customer, subscription
    object_id = models.UUIDField(null=True)
    label = models.CharField(max_length=255)
    expected = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    found = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    last_seen_at = models.DateTimeField()
    proofs = models.PositiveSmallIntegerField(default=0)
    proved_at = models.DateTimeField(null=True)  # the last look that counted
    ignored_by = models.CharField(max_length=254, blank=True)
    ignored_reason = models.CharField(max_length=255, blank=True)
    ignored_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_how = models.CharField(max_length=32, blank=True)  # "vanished", "repaired", …
    repair_asked_by = models.CharField(max_length=254, blank=True, default="")  # of many: as fast as the limiter lets

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=~Q(state="closed"), name="vms_difference_once"),
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="vms_difference_newest"),
            models.Index(fields=["host", "state"], name="vms_difference_of_host"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.label}"

    @property
    def about_id(self) -> UUID:
        """The id of what it is about; only for kinds that are about something with an id."""
        assert self.object_id is not None  # noqa: S101 - the kinds differ in it
        return self.object_id

    @property
    def on_host_id(self) -> UUID:
        """The host's id; only for kinds that are about something on a host."""
        assert self.host_id is not None  # noqa: S101 - the kinds differ in it
        return self.host_id


class Comparison(Record):
    """When a hypervisor of a host, or (``connection`` null) what the panel alone knows, was compared last.

    Turns are numbered, so that no clock decides which of two is older. See ``vms.services.reconcile.turns``.
    """

    connection = models.OneToOneField(HostConnection, null=True, on_delete=models.CASCADE, related_name="comparison")
    turn = models.BigIntegerField(default=0)  # the newest that began
    ended_turn = models.BigIntegerField(default=0)  # the newest that was written down, or failed
    written = models.BigIntegerField(default=0)  # how many were written down
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"comparison of {self.connection_id}"
