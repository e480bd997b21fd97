"""libvirt's events of domains of one open connection, and that it ended. Told from libvirt's event loop."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.base import EventHandler
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.ownership import ownership

_POWER = frozenset(
    {
        libvirt.VIR_DOMAIN_EVENT_STARTED,
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_RESUMED,
        libvirt.VIR_DOMAIN_EVENT_STOPPED,
        libvirt.VIR_DOMAIN_EVENT_SHUTDOWN,
        libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_CRASHED,
        libvirt.VIR_DOMAIN_EVENT_UNDEFINED,  # a transient domain that stops is gone
    }
)


def listen(session: Session, handler: EventHandler) -> None:
    """Register for a session, once. It ends with the session, which libvirt would keep open for it otherwise."""

    known = ownership(session)

    def happened(_conn: object, domain: Any, event: int, _detail: int, _opaque: object) -> None:
        known.forget(domain.UUID())
        if event in _POWER:
            handler(UUID(bytes=domain.UUID()))

    def relabelled(_conn: object, domain: Any, _kind: int, _namespace: str, _opaque: object) -> None:
        known.forget(domain.UUID())

    def closed(_conn: object, _reason: int, _opaque: object) -> None:
        handler(None)

    def register() -> bool:
        _register(session, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, happened)
        session.endings.append(partial(handler, None))
        with suppress(libvirt.libvirtError):  # a hypervisor without it is noticed by the next call
            session.conn.registerCloseCallback(closed, None)
            session.endings.append(session.conn.unregisterCloseCallback)
        with suppress(libvirt.libvirtError):
            _register(session, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, relabelled)
            known.told = True
        return True

    session.once("listening", register)


def _register(session: Session, event: int, callback: Callable[..., None]) -> None:
    number = session.conn.domainEventRegisterAny(None, event, callback, None)
    session.endings.append(partial(session.conn.domainEventDeregisterAny, number))
