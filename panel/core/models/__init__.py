"""The kernel's tables."""

from panel.core.models.accounts import (
    ApiClient,
    ApiToken,
    ClientRole,
    Customer,
    CustomerRole,
    Membership,
    SshKey,
    StaffRole,
    TokenNetwork,
    TokenScope,
    User,
)
from panel.core.models.audit import AuditEntry
from panel.core.models.idempotency import IdempotencyRecord
from panel.core.models.jobs import (
    AttemptOutcome,
    HostSlot,
    Job,
    JobAttempt,
    JobResource,
    JobStatus,
    JobUndo,
    ResourceSlot,
    SilentHost,
)
from panel.core.models.operating import PanelBackup, PanelProcess

__all__ = [
    "ApiClient",
    "ApiToken",
    "AttemptOutcome",
    "AuditEntry",
    "ClientRole",
    "Customer",
    "CustomerRole",
    "HostSlot",
    "IdempotencyRecord",
    "Job",
    "JobAttempt",
    "JobResource",
    "JobStatus",
    "JobUndo",
    "Membership",
    "PanelBackup",
    "PanelProcess",
    "ResourceSlot",
    "SilentHost",
    "SshKey",
    "StaffRole",
    "TokenNetwork",
    "TokenScope",
    "User",
]
