"""The real host that all tests of a run share, wherever they are."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def real_host() -> Iterator[Any]:
    """A real host (``RealHost``) for all tests of a run that ask for one."""
    from tests.drivers.real_host import make_host, why_not  # only here is libvirt needed

    if why_not():
        pytest.skip(why_not())
    host = make_host()
    yield host
    host.stop()
