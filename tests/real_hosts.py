"""The real host that all tests of a run share, wherever they are."""

import warnings
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


@pytest.fixture(autouse=True)
def libvirtd_is_kept_alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start a libvirtd again that a test left dead, as systemd does with one that crashed, and say so in the log.

    Whatever failed by that has failed; the tests after it are asked of a host.
    """
    yield
    if "real_host" in request.fixturenames:
        libvirtd = request.getfixturevalue("real_host").libvirtd
        if not libvirtd.is_alive():
            log = (libvirtd.directory / "log" / "libvirtd.log").read_text().splitlines()[-5:]
            warnings.warn(f"libvirtd died in {request.node.nodeid} and was started again: {log}", stacklevel=1)
            libvirtd.start()
