"""What undefining does when the host's hook cannot take everything away: it says so, and can be repeated."""

import json
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import domains, hook
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.profiles import KVM
from hosts.drivers.libvirt.xml.elements import child, element, to_text
from hosts.drivers.libvirt.xml.metadata import qualified
from panel.core.errors import LeftoversError
from tests.drivers.no_libvirtd import failure
from tests.drivers.test_xml_golden import GUEST_ID


class Host:
    """A connection with one domain, and a hook that answers ``clean`` with ``left``; None: no hook is installed."""

    def __init__(self) -> None:
        self.left: list[str] | str | None = []
        self.defined, self.protected = True, True
        self.console_removed = False

    def lookupByUUID(self, _uuid: bytes) -> "Host":
        if not self.defined:
            raise failure(libvirt.VIR_ERR_NO_DOMAIN, "no domain")
        return self

    def isActive(self) -> bool:
        return False

    def isAlive(self) -> bool:
        return True

    def XMLDesc(self, _flags: int) -> str:
        root = element("domain")
        guest = child(child(root, "metadata"), qualified("guest"))
        child(guest, qualified("nic"), anti_spoofing="yes" if self.protected else "no")
        return to_text(root)

    def undefineFlags(self, _flags: int) -> None:
        self.defined = False

    def createXML(self, xml: str, _flags: int) -> Any:
        if self.left is None:
            raise failure(libvirt.VIR_ERR_INTERNAL_ERROR, "it tried to start")
        if 'kind="check"' in xml:
            said: Any = {"version": hook.VERSION}
        elif isinstance(self.left, str):
            raise failure(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, self.left)
        else:
            said = self.left
        raise failure(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, f"INNKEEPER-ANSWER {json.dumps(said)}")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(domains.console, "remove", lambda _session, _name: setattr(host, "console_removed", True))
    return host


def undefine(host: Host) -> None:
    domains.undefine(Session(conn=host, sockets=[], pid=0), KVM, GUEST_ID)


@pytest.mark.parametrize("left", [["rules g_1_ik0", "mount /m"], "umount: target is busy"])
def test_what_the_hook_could_not_remove_is_named_and_tried_again(host, left):
    host.left = left
    for _ in range(2):
        with pytest.raises(LeftoversError) as refused:
            undefine(host)
        assert refused.value.detail == (left if isinstance(left, str) else "rules g_1_ik0, mount /m")
        assert refused.value.retryable
    host.left = []
    undefine(host)
    assert (host.defined, host.console_removed) == (False, True)


def test_domain_with_rules_stays_until_the_hook_can_take_them_away(host):
    host.left = None
    with pytest.raises(LeftoversError):
        undefine(host)
    assert (host.defined, host.console_removed) == (True, False)
    host.left = []
    undefine(host)
    assert not host.defined


def test_domain_without_rules_needs_no_hook(host):
    host.left, host.protected = None, False
    undefine(host)
    undefine(host)
    assert (host.defined, host.console_removed) == (False, True)
