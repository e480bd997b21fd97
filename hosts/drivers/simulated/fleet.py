"""All hosts of a simulated server, and their state on disk."""

import json
import os
from pathlib import Path

from hosts.drivers.simulated.call_log import CallLog
from hosts.drivers.simulated.host import Clock, SimulatedHost
from hosts.drivers.simulated.state import HostState
from hosts.drivers.simulated.wire import decode, encode


class Fleet:
    """The hosts by name. A host nobody made is made when it is first asked for."""

    def __init__(self, *, log_size: int) -> None:
        self.hosts: dict[str, SimulatedHost] = {}
        self.clock = Clock()
        self.log = CallLog(log_size)
        self.is_dirty = False  # something may differ from the state file

    def host(self, name: str) -> SimulatedHost:
        """Return a host."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = SimulatedHost(HostState(name=name), self.clock)
        return host

    def save(self, path: Path) -> None:
        """Write all hosts' state, atomically. Faults, latencies and the log of calls are not kept."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps([encode(host.state) for host in self.hosts.values()]), encoding="utf-8")
        os.replace(partial, path)
        self.is_dirty = False

    def load(self, path: Path) -> None:
        """Read what ``save`` wrote."""
        for entry in json.loads(path.read_text(encoding="utf-8")):
            state = decode(HostState, entry)
            self.hosts[state.name] = SimulatedHost(state, self.clock)
