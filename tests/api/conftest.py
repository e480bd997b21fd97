"""Fixtures of API tests."""

import pytest

from hosts.models import Host
from tests.api.orders import stocked


@pytest.fixture
def stocked_host(db: None) -> Host:
    """A host with room, and all else that an order needs."""
    return stocked()
