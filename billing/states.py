"""States of what is sold."""

from django.db import models


class SubscriptionStatus(models.TextChoices):
    """Whether it is paid for. Suspension is a set of reasons on the guest."""

    ACTIVE = "active", "Active"
    TERMINATED = "terminated", "Terminated"
