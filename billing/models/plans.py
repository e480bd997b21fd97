"""What is sold."""

from django.db import models
from django.db.models import F, Q

from panel.core.models.base import VersionedRecord


class Plan(VersionedRecord):
    """A size and its price. Edited only while nobody has it; afterwards archived and replaced."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    host_types = models.JSONField(default=list)
    vcpus = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    bandwidth_mbit_per_s = models.PositiveIntegerField(null=True, blank=True)
    bandwidth_required = models.BooleanField(default=False)  # False: sold without the limit where a host cannot
    max_processes = models.PositiveIntegerField(default=0)  # containers; 0: by memory
    price_monthly = models.DecimalField(max_digits=12, decimal_places=2)
    price_hourly = models.DecimalField(max_digits=12, decimal_places=6)
    currency = models.CharField(max_length=3, default="EUR")
    archived_at = models.DateTimeField(null=True, blank=True)
    sold_at = models.DateTimeField(null=True)  # first sold; from then on its numbers are fixed

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(vcpus__gte=1, memory_mib__gte=32, disk_gib__gte=1), name="billing_plan_size"
            ),
            models.CheckConstraint(condition=Q(price_monthly__gte=0, price_hourly__gte=0), name="billing_plan_price"),
        ]
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="billing_plan_newest")]

    def __str__(self) -> str:
        return self.name
