"""Every error the panel raises on purpose. One class per different reaction of a caller.

``code`` is API: it is tested for uniqueness and never renamed. ``str(error)`` is one sentence that a
customer may read; host names, paths and raw hypervisor text go in ``detail``, which only staff see.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


def writable(text: str) -> str:
    """Return ``text`` with what PostgreSQL keeps in no text (NUL, lone surrogates) spelt out: hosts say all sorts."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


class PanelError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, detail: str = "", **facts: Any) -> None:
        super().__init__(writable(message) or (self.__doc__ or "").strip().splitlines()[0])
        self.detail = writable(detail)
        self.facts: Mapping[str, Any] = facts


class InvalidInputError(PanelError):
    """The request has a field that cannot be accepted."""

    code = "invalid_input"

    def __init__(self, message: str = "", *, fields: Mapping[str, str] | None = None, **facts: Any) -> None:
        """``fields`` maps a field's path (``guest.name``) to one sentence about it."""
        self.fields = dict(fields or {})
        super().__init__(message or next(iter(self.fields.values()), ""), **facts)


class NotFoundError(PanelError):
    """There is no such object."""

    code = "not_found"


class PermissionDeniedError(PanelError):
    """Your role does not allow this."""

    code = "permission_denied"


class InvalidStateError(PanelError):
    """This cannot be done in the present state."""

    code = "invalid_state"


class ResourceBusyError(PanelError):
    """Another job is working on this."""

    code = "resource_busy"


class ConflictError(PanelError):
    """Something with this identity exists already."""

    code = "conflict"


class QuotaExceededError(PanelError):
    """The customer's quota does not allow this."""

    code = "quota_exceeded"


class CapacityError(PanelError):
    """There is no room for this at the moment."""

    code = "no_capacity"


class NotReadyError(CapacityError):
    """The panel was restored a moment ago and first looks at its hosts. Try again in a minute."""

    code = "not_ready"
    retryable = True

    def __init__(self) -> None:
        super().__init__(retry_after_s=30)


class JobLostError(PanelError):
    """Another attempt of this job has taken over."""

    code = "job_lost"


class JobCancelledError(PanelError):
    """The job was cancelled."""

    code = "job_cancelled"


class JobGivenUpError(PanelError):
    """The work was begun several times and cut off each time."""

    code = "job_given_up"


class WaitError(PanelError):
    """The job waits for something else and goes on by itself."""

    code = "waiting"
    wait_s: ClassVar[float] = 1.0


class DriverError(PanelError):
    """The hypervisor refused the request."""

    code = "driver_failed"


class DomainNotFoundError(DriverError):
    """The host has no such server."""

    code = "domain_not_found"


class VolumeNotFoundError(DriverError):
    """The host has no such volume."""

    code = "volume_not_found"


class CapabilityError(DriverError):
    """The host cannot do this."""

    code = "not_supported"


class StorageFullError(DriverError):
    """The host's storage is full."""

    code = "storage_full"


class StorageReadOnlyError(DriverError):
    """The host's storage can only be read."""

    code = "storage_read_only"


class HostUnreachableError(DriverError):
    """The host does not answer."""

    code = "host_unreachable"
    retryable = True


class HostTimeoutError(DriverError):
    """The host took too long to answer."""

    code = "host_timeout"
    retryable = True


class LeftoversError(DriverError):
    """The host has not taken everything of the server away yet."""

    code = "leftovers"
    retryable = True


class IdempotencyMismatchError(PanelError):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_key_reused"


class IdempotencyInFlightError(ResourceBusyError):
    """The first request with this Idempotency-Key is still being answered."""

    code = "idempotency_in_flight"


class IdentityChangedError(ConflictError):
    """This browser is signed in as somebody else now, or acts for another customer. Load the page again."""

    code = "identity_changed"


class VersionMismatchError(PanelError):
    """The object has changed since you read it."""

    code = "version_mismatch"


class CursorMismatchError(InvalidInputError):
    """The cursor does not belong to this list, sort and filter."""

    code = "cursor_mismatch"


class ExternalIdConflictError(ConflictError):
    """This external_id belongs to an order with another content."""

    code = "external_id_conflict"
