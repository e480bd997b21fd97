"""Which domains that the panel has not made it has taken over: asked once, and again after a change."""

import threading
from typing import Any

import libvirt

from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.xml.metadata import NAMESPACE


class Ownership:
    """What was found out through one session. Used by its threads and by libvirt's event loop.

    ``told``: the session is told of every change of a domain's configuration or metadata (``events``). Without that
    only what was taken over is remembered: a foreign domain may be taken over by another process at any time.
    """

    def __init__(self) -> None:
        self.told = False
        self._lock = threading.Lock()
        self._ours: dict[bytes, bool] = {}
        self._changes = 0

    def has_taken_over(self, domain: Any) -> bool:
        """True when a domain that the panel has not made is one of ours. Raises: libvirtError."""
        identity = domain.UUID()
        with self._lock:
            known, changes = self._ours.get(identity), self._changes
        if known is not None:
            return known
        found = taken_over(domain)
        with self._lock:
            if changes == self._changes and (found or self.told):  # otherwise it may be of before the change
                self._ours[identity] = found
        return found

    def forget(self, identity: bytes) -> None:
        """A domain has changed: ask anew."""
        with self._lock:
            self._changes += 1
            self._ours.pop(identity, None)


def ownership(session: Session) -> Ownership:
    """Return what a session knows."""
    return session.once("ownership", Ownership)


def taken_over(domain: Any) -> bool:
    """Ask whether a domain that the panel has not made carries its metadata."""
    try:
        domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_DOMAIN):
            return False
        raise
    return True
