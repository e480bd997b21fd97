"""Other names of files, as far as the host's hook says: one that fails is not taken for one that says nothing."""

import uuid
from typing import Any

import libvirt
import pytest

from hosts.drivers.descriptions import DomainDescription, FileUse
from hosts.drivers.libvirt import file_uses
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.profiles import KVM
from hosts.drivers.types import HostType, PowerState
from tests.drivers.no_libvirtd import failure

WEB = DomainDescription(
    id=uuid.uuid4(), domain_name="web", title="", host_type=HostType.KVM, state=PowerState.SHUTOFF, persistent=True,
    ours=False, taken_over=False, owner="", vcpus=1, memory_mib=64, user_namespace=None, disks=(), nics=(),
    files=("/srv/else", "/srv/link/web"),
)  # fmt: skip


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask who uses /srv/web, where the hook says, or fails with, something."""

    def now(said: Any) -> list[FileUse]:
        def answer(*_: Any, **__: Any) -> Any:
            if isinstance(said, Exception):
                raise said
            return said

        monkeypatch.setattr(file_uses.hook, "ask", answer)
        conn = libvirt.open("test:///default")
        session = Session(conn=conn, sockets=[], pid=0)
        try:
            uses = file_uses.uses(session, KVM, [WEB], pools=[], files=["/srv/web"])
        finally:
            conn.close()
        return [use for use in uses if use.path == "/srv/web"]

    return now


def test_a_use_by_another_name_is_told_by_the_name_that_was_asked_for(ask):
    assert ask([[1]]) == [FileUse(path="/srv/web", by="web", domain=WEB.id)]
    assert ask([[]]) == []


@pytest.mark.parametrize("said", ["not a question: 'same_files'", None])
def test_where_no_hook_knows_the_question_names_have_to_do(ask, said):
    assert ask(said and failure(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, said)) == []


@pytest.mark.parametrize(
    ("code", "text"), [(libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, "no memory"), (libvirt.VIR_ERR_RPC, "not a question")]
)
def test_a_hook_that_fails_otherwise_has_not_said_that_nobody_uses_the_file(ask, code, text):
    with pytest.raises(libvirt.libvirtError):
        ask(failure(code, text))
