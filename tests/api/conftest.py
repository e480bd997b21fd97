"""Fixtures of API tests."""

import pytest
from django.utils import timezone

from hosts.models import Host
from tests.api.looking_at_health import backup, process
from tests.api.orders import stocked


@pytest.fixture
def stocked_host(db: None) -> Host:
    """A host with room, and all else that an order needs."""
    return stocked()


@pytest.fixture
def well(one_host) -> object:
    """A panel with nothing wrong: a host that answers, each process, a backup of today."""
    one_host.connections.update(last_seen_at=timezone.now())
    for kind in ("web", "worker", "builder", "collector"):
        process(kind)
    backup()
    return one_host
