"""libvirt's errors in the panel's words; the only place that looks at libvirt's error numbers."""

import errno

import libvirt

from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostTimeoutError,
    HostUnreachableError,
    StorageFullError,
    StorageReadOnlyError,
    VolumeNotFoundError,
)

# Where in libvirt an error came from. These two mean the connection itself, not what was asked through it.
_CONNECTION_DOMAINS = {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE}

_BY_CODE: dict[int, type[DriverError]] = {
    libvirt.VIR_ERR_NO_DOMAIN: DomainNotFoundError,
    libvirt.VIR_ERR_NO_STORAGE_POOL: VolumeNotFoundError,
    libvirt.VIR_ERR_NO_STORAGE_VOL: VolumeNotFoundError,
    libvirt.VIR_ERR_NO_SUPPORT: CapabilityError,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: CapabilityError,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: CapabilityError,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: CapabilityError,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: HostTimeoutError,
    libvirt.VIR_ERR_NO_CONNECT: HostUnreachableError,
    libvirt.VIR_ERR_INVALID_CONN: HostUnreachableError,
    libvirt.VIR_ERR_AUTH_FAILED: HostUnreachableError,
}

# libvirt mostly reports a full file system as some other failure with the system's text at its end.
_READ_ONLY = "Read-only file system"
_FULL = ("No space left on device", "Disk quota exceeded")


def translate(error: libvirt.libvirtError) -> DriverError:
    """Return the panel's error for one of libvirt's. The raw text is for staff only."""
    return _class_of(error)(detail=str(error)[:2000])


def is_code(error: libvirt.libvirtError, *codes: int) -> bool:
    """True when libvirt's error number is one of ``codes``."""
    return error.get_error_code() in codes


def _class_of(error: libvirt.libvirtError) -> type[DriverError]:
    if error.get_error_domain() in _CONNECTION_DOMAINS:
        return HostUnreachableError
    text = str(error)
    if any(mark in text for mark in _FULL) or _errno_of(error) in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError
    if _READ_ONLY in text:
        return StorageReadOnlyError
    return _BY_CODE.get(error.get_error_code() or 0, DriverError)


def _errno_of(error: libvirt.libvirtError) -> int | None:
    return error.get_int1() if is_code(error, libvirt.VIR_ERR_SYSTEM_ERROR) else None
