"""Questions to the host's hook script, asked through libvirt alone.

A domain is created whose metadata holds a question. The hook answers on standard error and fails, libvirt reports
both as an error, and nothing has started. Where no hook is installed the domain does start, harmless as it is, and
is destroyed at once: that too is an answer.
"""

import json
import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import libvirt

from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.probe import AskedNic, question_element
from hosts.drivers.types import HostType

QUESTION_PREFIX = "innkeeper-question-"
VERSION = 2
_ANSWER = re.compile(r"INNKEEPER-ANSWER (.*)$", re.MULTILINE)
_NOT_INSTALLED = "The panel's hook script is not installed on the host, or libvirtd was not started since."


def hook_obstacle(session: Session, profile: Profile) -> str:
    """Return why the host's hook cannot be relied on; "" when it can."""
    if not profile.hooked:
        return "There is no hook script for this kind of host."
    answer = check(session, profile)
    if answer is None:
        return _NOT_INSTALLED
    if answer.get("version") != VERSION:
        return f"The hook script on the host is of version {answer.get('version')}, not {VERSION}."
    return ""


def check(session: Session, profile: Profile, *, anew: bool = False) -> dict[str, Any] | None:
    """Return what the hook says of its host; None where there is no hook.

    What a hook of our version says is kept with the connection; anything else may be mended any moment.
    """
    known: dict[str, Any] | None = None if anew else session.facts.get("hook")
    if known is not None:
        return known
    said: dict[str, Any] | None = ask(session, profile, kind="check")
    session.facts["hook"] = said if said is not None and said.get("version") == VERSION else None
    return said


def ask(
    session: Session,
    profile: Profile,
    *,
    kind: str,
    about: str = f"{QUESTION_PREFIX}none",
    nics: tuple[AskedNic, ...] = (),
    wanted: Sequence[str] = (),
    named: Sequence[str] = (),
) -> Any:
    """Put one question; None when nothing answered. Raises: libvirtError when the connection broke."""
    if not profile.hooked:
        return None
    question = uuid.uuid4()
    name = f"{QUESTION_PREFIX}{question.hex[:12]}"
    xml = question_element(
        host_type=profile.host_type, name=name, uuid=question, kind=kind, about=about, nics=nics, wanted=wanted,
        named=named,
    )  # fmt: skip
    flags = libvirt.VIR_DOMAIN_START_AUTODESTROY
    if profile.host_type is HostType.KVM:
        flags |= libvirt.VIR_DOMAIN_START_PAUSED
    try:
        domain = session.conn.createXML(to_text(xml), flags)
    except libvirt.libvirtError as error:
        answer = _ANSWER.search(str(error))
        if answer is not None:
            return json.loads(answer[1])
        if is_code(error, libvirt.VIR_ERR_HOOK_SCRIPT_FAILED) or not session.conn.isAlive():
            raise
        return None  # it tried to start, so no hook is in its way
    with suppress(libvirt.libvirtError):
        domain.destroy()
    return None
