"""Making a domain of somebody else's one of ours while it runs on, and letting go of it again."""

import json
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.descriptions import ConfigurationChange, PartChange
from hosts.drivers.libvirt import hook, pools
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.describe import guards
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.ownership import ownership
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml.compare import differences
from hosts.drivers.libvirt.xml.edit import (
    changed_parts,
    edited,
    given_back,
    guest_element,
    is_kept,
    mac_of,
    plain_text,
    same,
)
from hosts.drivers.libvirt.xml.elements import Element, from_text, to_text
from hosts.drivers.libvirt.xml.metadata import NAMESPACE, qualified
from hosts.drivers.types import DomainSpec, domain_name
from panel.core.errors import CapabilityError

_PREFIX = "innkeeper"
_UNNAMED = (ConfigurationChange(part="configuration", change=PartChange.CHANGED),)


def configuration(domain: Any) -> str:
    """Return what taking a domain over changes of its persistent configuration, as JSON."""
    return json.dumps(changed_parts(_kept(domain)))


def _kept(domain: Any) -> Element:
    """Return the persistent configuration, its secrets included: it is written back."""
    return from_text(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))


def is_foreign(domain: Any, identity: UUID) -> bool:
    """True when the panel has not made a domain: then its configuration is edited and never replaced."""
    return str(domain.name()) != domain_name(identity) or is_kept(_kept(domain))


def take_over(session: Session, profile: Profile, domain: Any, spec: DomainSpec) -> None:
    """Write our metadata and the nics' names into the configuration; where it runs, guard its nics at once."""
    obstacle = hook.hook_obstacle(session, profile)
    if obstacle:
        raise CapabilityError("The host is not ready for servers of this type.", detail=obstacle)
    pools.ensure_console_pool(session)
    change(session, domain, spec)
    ownership(session).forget(domain.UUID())
    if domain.isActive():
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        text = plain_text(_live_metadata(domain, spec))
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, _PREFIX, NAMESPACE, live)
        ownership(session).forget(domain.UUID())
        protect(session, profile, domain, spec.id)


def change(session: Session, domain: Any, spec: DomainSpec) -> None:
    """Bring the configuration of a domain that was taken over to the spec, and leave the rest of it as it is."""
    found = _kept(domain)
    wanted = edited(found, spec)
    if not same(wanted, found) or not domain.isPersistent():
        session.conn.defineXML(to_text(wanted))


def changes(domain: Any, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
    """Name what ``change`` would change; nothing when it would change nothing."""
    found = _kept(domain)
    wanted = edited(found, spec)
    if same(wanted, found):
        return ()
    return tuple(differences(wanted, found)) or _UNNAMED


def let_go(session: Session, profile: Profile, domain: Any, identity: UUID, *, configuration: str) -> None:
    """Put the configuration of before back, and take our metadata and rules away."""
    before = json.loads(configuration)
    session.conn.defineXML(to_text(given_back(_kept(domain), before)))
    if domain.isActive():
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        text = plain_text(from_text(before["guest"])) if before["guest"] is not None else None
        key = _PREFIX if text else None
        try:
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, key, NAMESPACE, live)
        except libvirt.libvirtError as error:
            if not is_code(error, libvirt.VIR_ERR_NO_DOMAIN_METADATA):
                raise
    ownership(session).forget(domain.UUID())
    if before["guest"] is None:
        hook.ask(session, profile, kind="clean", about=domain_name(identity))


def protect(session: Session, profile: Profile, domain: Any, identity: UUID) -> bool:
    """Load the rules of a running domain's nics; False when it is off. Raises: CapabilityError when it is in vain."""
    if not domain.isActive():
        return False
    live = from_text(domain.XMLDesc())
    guest = live.find(f"metadata/{qualified('guest')}")
    nics = guards(live, guest, identity) if guest is not None else ()
    if nics:
        left = hook.ask(session, profile, kind="protect", about=domain_name(identity), nics=nics)
        if left != []:
            raise CapabilityError("The host cannot protect its servers' addresses.", detail=f"unguarded: {left}")
    return True


def _live_metadata(domain: Any, spec: DomainSpec) -> Element:
    """Return our metadata with the names that the nics have now: by them the rules go when the domain ends."""
    guest = guest_element(spec)
    live = from_text(domain.XMLDesc())
    now = {mac_of(one): one.find("target") for one in live.iterfind("devices/interface")}
    for nic in guest.iter(qualified("nic")):
        target = now.get(nic.get("mac", ""))
        if target is not None and target.get("dev"):
            nic.set("device", target.get("dev") or "")
    return guest
