"""What the driver keeps of a hook's answers: what is good; what is missing may be mended any moment."""

import json
import time
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import facts, hook
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.profiles import LXC
from hosts.drivers.types import Capability
from tests.drivers.no_libvirtd import failure

GOOD = {"version": hook.VERSION, "boot_id": "b", "anti_spoofing": "", "process_limit": "", "bandwidth": ""}


class Host:
    """A libvirt connection whose hook says ``said``; None: none is installed."""

    def __init__(self) -> None:
        self.said: dict[str, Any] | None = dict(GOOD)
        self.asked = 0

    def createXML(self, _xml: str, _flags: int) -> Any:
        self.asked += 1
        text = "" if self.said is None else f"INNKEEPER-ANSWER {json.dumps(self.said)}"
        raise failure(libvirt.VIR_ERR_INTERNAL_ERROR, text)

    def isAlive(self) -> bool:
        return True


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def session(host: Host) -> Session:
    return Session(conn=host, sockets=[], pid=0)


def available(session: Session, capability: Capability) -> bool:
    return facts.state(session, LXC, capability).available


def test_a_good_answer_is_asked_for_once(host, session):
    for _ in range(3):
        assert hook.hook_obstacle(session, LXC) == ""
        assert available(session, Capability.ANTI_SPOOFING)
    assert host.asked == 1


@pytest.mark.parametrize("missing", [None, {**GOOD, "version": hook.VERSION + 1}])
def test_a_hook_that_is_missing_or_of_another_version_is_looked_for_again(host, session, missing):
    host.said = missing
    assert hook.hook_obstacle(session, LXC) != ""
    assert not available(session, Capability.ANTI_SPOOFING)
    host.said = GOOD
    assert available(session, Capability.ANTI_SPOOFING)
    assert hook.hook_obstacle(session, LXC) == ""


def test_a_missing_capability_is_asked_for_again_and_a_present_one_is_not(host, session):
    host.said = {**GOOD, "bandwidth": "no sch_sfq"}
    assert not available(session, Capability.BANDWIDTH)
    assert available(session, Capability.ANTI_SPOOFING)
    asked = host.asked
    assert available(session, Capability.PROCESS_LIMIT)
    assert host.asked == asked
    host.said = GOOD
    assert available(session, Capability.BANDWIDTH)


def test_boot_id_of_a_host_without_a_hook_is_asked_for_once_a_minute(session: Session, host: Host, monkeypatch):
    host.said = None
    assert [facts.boot_id(session, LXC) for _ in range(3)] == ["", "", ""]
    assert host.asked == 1
    host.said = GOOD
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 61)
    assert facts.boot_id(session, LXC) == "b"


def test_boot_id_is_asked_for_once_on_a_connection(session: Session, host: Host):
    assert [facts.boot_id(session, LXC) for _ in range(3)] == ["b", "b", "b"]
    assert host.asked == 1
