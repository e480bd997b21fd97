"""From a message to the function that answers it: one table, its types read from the functions."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from hosts.drivers.simulated.capabilities import FactCalls
from hosts.drivers.simulated.domains import DomainCalls
from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.storage import StorageCalls
from hosts.drivers.simulated.wire import decode
from hosts.drivers.types import HostType


@dataclass(frozen=True, slots=True)
class Call:
    """A function that can be called over the socket with keyword arguments."""

    function: Callable[..., Any]
    hints: dict[str, Any]
    waits: bool

    def run(self, owner: object, arguments: dict[str, Any]) -> Any | Awaitable[Any]:
        """Call it; an awaitable comes back where ``waits`` says so."""
        decoded = {name: decode(self.hints[name], value) for name, value in arguments.items()}
        return self.function(owner, **decoded)


def calls_of(kind: type) -> dict[str, Call]:
    """Return the public methods of a class as calls, by name."""
    return {
        name: Call(function, get_type_hints(function), inspect.iscoroutinefunction(function))
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


_FACTS, _STORAGE, _DOMAINS = calls_of(FactCalls), calls_of(StorageCalls), calls_of(DomainCalls)
# What is public in StorageCalls for its neighbours only, and not part of the driver contract.
_STORAGE = {name: call for name, call in _STORAGE.items() if name not in ("volume", "leave_half_made")}
DRIVER_CALLS: dict[str, Call] = {**_FACTS, **_STORAGE, **_DOMAINS}

LISTEN = "listen"  # answered by the server's connection itself

# Calls that leave the hosts' state as it is, apart from what time brings.
READS = frozenset(
    {
        "facts",
        "boot_id",
        "load",
        "pool_info",
        "volume_list",
        "volume_info",
        "domain_info",
        "domain_list",
        "domain_describe",
        "domain_descriptions",
        "file_uses",
        "domain_configuration",
        "domain_is_current",
        "domain_changes",
        "console_output",
        "leftovers",
        LISTEN,
    }
)


def owner_of(call: str, host: SimulatedHost, host_type: HostType) -> object:
    """Return the object a driver call is a method of."""
    if call in _STORAGE:
        return StorageCalls(host)
    return DomainCalls(host, host_type) if call in _DOMAINS else FactCalls(host, host_type)
