"""Hosts and the ways to reach their hypervisors."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from hosts.drivers.types import Capability, HostType
from hosts.states import HostState
from panel.core.models.base import Record, VersionedRecord

SILENT_AFTER = timedelta(seconds=60)  # a host with a hypervisor not seen for this long does not answer
# By the database's clock, as it was written. With ANSWERS what is shown: a hypervisor that was silent at the last look
# does not answer, at the moment at which its guests become unknown.
SEEN_LATELY = Q(last_seen_at__isnull=False, last_seen_at__gt=Now() - SILENT_AFTER)
ANSWERS = SEEN_LATELY & Q(last_error="")
HOST_TYPES = [(t.value, t.value.upper()) for t in HostType]


class Host(VersionedRecord):
    """A machine that runs guests. ``limit_…`` is what may be sold, ``used_…`` what is, moved by guarded UPDATEs."""

    name = models.CharField(max_length=63, unique=True)
    location = models.CharField(max_length=60, default="default")
    state = models.CharField(max_length=16, choices=HostState, default=HostState.ENROLLING)
    labels = models.JSONField(default=dict, blank=True)
    address = models.CharField(max_length=255, blank=True)
    cpus = models.PositiveIntegerField(default=0)
    cpu_model = models.CharField(max_length=120, blank=True)
    memory_mib = models.PositiveIntegerField(default=0)
    cpu_overcommit = models.DecimalField(max_digits=4, decimal_places=1, default=4)
    memory_overcommit = models.DecimalField(max_digits=4, decimal_places=1, default=1)
    memory_reserve_mib = models.PositiveIntegerField(default=1024)
    limit_vcpus = models.PositiveIntegerField(default=0)
    limit_memory_mib = models.PositiveIntegerField(default=0)
    used_vcpus = models.PositiveIntegerField(default=0)
    used_memory_mib = models.PositiveIntegerField(default=0)
    boot_id = models.CharField(max_length=64, blank=True)
    last_seen_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    load_cpu_percent = models.FloatField(null=True)
    load_memory_percent = models.FloatField(null=True)
    load_sample = models.JSONField(null=True)  # the counters the next rates are computed from

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used_vcpus__lte=F("limit_vcpus")), name="hosts_host_vcpus_sold"),
            models.CheckConstraint(
                condition=Q(used_memory_mib__lte=F("limit_memory_mib")), name="hosts_host_memory_sold"
            ),
        ]
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="hosts_host_newest")]

    def __str__(self) -> str:
        return self.name


class HostConnection(Record):
    """One hypervisor of a host: a host offers KVM, Xen or LXC by having a connection of that type."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="connections")
    host_type = models.CharField(max_length=8, choices=HOST_TYPES)
    driver = models.CharField(max_length=16, choices=[("libvirt", "libvirt"), ("simulated", "Simulated")])
    uri = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    hypervisor = models.CharField(max_length=120, blank=True)
    libvirt_version = models.CharField(max_length=32, blank=True)
    emulated = models.BooleanField(default=False)
    capabilities = models.JSONField(default=list)  # [{capability, available, reason}]
    last_seen_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    uncompared_since = models.DateTimeField(null=True)  # when the panel was restored; null: compared since then

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "host_type"], name="hosts_connection_type")]

    def __str__(self) -> str:
        return f"{self.host_type} of {self.host_id}"

    def can(self, capability: str) -> bool:
        """True when the host was seen to have a capability."""
        return any(c["capability"] == capability and c["available"] for c in self.capabilities)

    def bandwidth_notice(self, mbit_per_s: int | None) -> str:
        """Return the sentence on a limit of traffic that cannot be applied here; "" when it can, or there is none."""
        if not mbit_per_s or self.can(Capability.BANDWIDTH):
            return ""
        return f"The limit of {mbit_per_s} Mbit/s is not applied: this host cannot shape traffic."

    def reason(self, capability: str) -> str:
        """Why the host lacks a capability; empty when it has it or nobody said."""
        return next(
            (c["reason"] for c in self.capabilities if c["capability"] == capability and not c["available"]), ""
        )
