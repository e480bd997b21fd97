"""States of what we own."""

from django.db import models


class HostState(models.TextChoices):
    """What an admin wants of a host. Whether it answers is ``last_seen_at``."""

    ENROLLING = "enrolling", "Enrolling"
    ACTIVE = "active", "Active"
    MAINTENANCE = "maintenance", "Maintenance"
    RETIRED = "retired", "Retired"

    @property
    def words(self) -> str:
        """What fits after "the host is"."""
        return "in maintenance" if self is HostState.MAINTENANCE else self.label.lower()


WATCHED = (HostState.ACTIVE, HostState.MAINTENANCE)  # by the collectors


class ImageState(models.TextChoices):
    """Whether an image can be ordered."""

    BUILDING = "building", "Building"
    READY = "ready", "Ready"
    ERROR = "error", "Failed"
    RETIRED = "retired", "Retired"
