"""The customer's machine."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from hosts.drivers.types import PowerState
from hosts.models import Host, Image, StoragePool
from hosts.models.hosts import HOST_TYPES
from panel.core.models import ApiClient, Customer
from panel.core.models.base import Record, VersionedRecord
from vms.states import Lifecycle, PowerWanted

POWER_STATES = [(s.value, s.value.capitalize()) for s in PowerState]


class Guest(VersionedRecord):
    """A customer's server. Its id is the domain's UUID on the host. Rows stay after deletion.

    Sizes are the guest's own copy of what was sold: changing a plan's text never changes a guest.
    ``lifecycle``, ``power_wanted`` and ``power_state`` are three facts and never merged.
    """

    name = models.CharField(max_length=63)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="guests")
    host = models.ForeignKey(Host, null=True, on_delete=models.PROTECT, related_name="guests")
    pool = models.ForeignKey(StoragePool, null=True, on_delete=models.PROTECT, related_name="guests")
    hostname = models.CharField(max_length=63)  # inside: the name it was built with; a rebuild takes the present one
    host_type = models.CharField(max_length=8, choices=HOST_TYPES)
    plan_slug = models.CharField(max_length=63, blank=True)
    vcpus = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    bandwidth_mbit_per_s = models.PositiveIntegerField(null=True)
    max_processes = models.PositiveIntegerField(default=0)  # LXC; 0: by memory, see vms.operations.specs
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="guests")
    labels = models.JSONField(default=dict, blank=True)
    external_id = models.CharField(max_length=120, null=True, blank=True)
    client = models.ForeignKey(ApiClient, null=True, on_delete=models.PROTECT, related_name="+")

    lifecycle = models.CharField(max_length=16, choices=Lifecycle, default=Lifecycle.PROVISIONING)
    power_wanted = models.CharField(max_length=8, choices=PowerWanted, default=PowerWanted.ON)
    power_state = models.CharField(max_length=16, choices=POWER_STATES, default=PowerState.UNKNOWN)
    state_reason = models.CharField(max_length=64, blank=True)  # as the hypervisor gave it: "disk_full"
    observed_at = models.DateTimeField(null=True)
    seen_boot_id = models.CharField(max_length=64, blank=True)  # its host's, when it was last seen running
    off_since = models.DateTimeField(null=True)  # seen off with no job active; see collector
    domain_name = models.CharField(max_length=255, blank=True)  # of one that was taken over: its name on its host
    deletion_requested_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    error_message = models.TextField(blank=True)
    notice = models.TextField(blank=True)  # one sentence the owner should know: what was degraded

    ssh_keys = models.JSONField(default=list)  # public keys it was made with
    user_data = models.TextField(blank=True)
    boot_volumes = models.JSONField(default=dict)  # {kernel, initrd, arguments} of its disk's image; {}: disk boots
    build_number = models.PositiveIntegerField(default=1)  # raised by every rebuild, when it removes the old disk
    before_rebuild = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)  # see vms.services.access
    password_set = models.BooleanField(default=False)  # root has a password, not only keys
    seed_scrubbed_at = models.DateTimeField(null=True)  # null: its seed may hold a password's hash
    booted_at = models.DateTimeField(null=True)  # it printed that it was ready
    host_keys = models.JSONField(default=list)  # [{type, fingerprint}] as printed at boot

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "external_id"], name="vms_guest_external_id"),
            models.CheckConstraint(condition=Q(vcpus__gte=1), name="vms_guest_vcpus"),
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="vms_guest_newest"),
            models.Index("customer", F("created_at").desc(), F("id").desc(), name="vms_guest_of_customer"),
            models.Index("host", F("created_at").desc(), F("id").desc(), name="vms_guest_of_host"),
            models.Index(fields=["name", "id"], name="vms_guest_name"),
            models.Index(fields=["customer", "name", "id"], name="vms_guest_customer_name"),
            models.Index(
                fields=["external_id"], condition=Q(external_id__isnull=False), name="vms_guest_by_external_id"
            ),
            models.Index(fields=["host"], condition=Q(booted_at__isnull=True), name="vms_guest_not_ready"),
            models.Index(fields=["host"], condition=Q(seed_scrubbed_at__isnull=True), name="vms_guest_to_scrub"),
            models.Index(fields=["deleted_at"], condition=Q(deleted_at__isnull=False), name="vms_guest_departed"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="vms_guest_name_trgm"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def seed_instance_id(self) -> str:
        """What tells the system inside that it is a new machine: changes with every rebuild."""
        return f"{self.pk}-{self.build_number}"


class GuestSuspension(Record):
    """One reason why service is withheld. A guest is suspended while it has any."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="suspensions")
    reason = models.CharField(max_length=32)  # payment, abuse, …
    note = models.CharField(max_length=255, blank=True)
    was_running = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["guest", "reason"], name="vms_suspension_reason")]

    def __str__(self) -> str:
        return f"{self.reason} of {self.guest_id}"


class GuestSecret(models.Model):
    """The hash of a root password on its way into the seed. Deleted as soon as the seed has it."""

    guest = models.OneToOneField(Guest, primary_key=True, on_delete=models.CASCADE, related_name="secret")
    root_password_hash = models.CharField(max_length=120)  # SHA-512 crypt

    def __str__(self) -> str:
        return f"secret of {self.guest_id}"
