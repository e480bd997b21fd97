"""The thread in which libvirt's events are heard and connections kept alive."""

import libvirt
import pytest

from hosts.drivers.libvirt import event_loop
from tests.drivers.no_libvirtd import failure


def test_an_error_does_not_end_the_event_loop(monkeypatch, caplog):
    turns: list[int] = []

    def turn() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise failure(libvirt.VIR_ERR_SYSTEM_ERROR, "poll: Bad file descriptor")
        if len(turns) == 3:
            raise SystemExit

    monkeypatch.setattr(libvirt, "virEventRunDefaultImpl", turn)
    monkeypatch.setattr(event_loop, "_AGAIN_AFTER_S", 0.0)
    with pytest.raises(SystemExit):
        event_loop._run()
    assert turns == [0, 1, 2]
    assert "poll: Bad file descriptor" in caplog.text
