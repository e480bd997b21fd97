"""A request never holds a driver: the web process runs without libvirt, and no view opens a connection."""

import subprocess
import sys

import pytest

from tests.architecture.routes import api_routes

WEB_WITHOUT_LIBVIRT = """
import sys
sys.modules["libvirt"] = None  # importing it raises ImportError
import panel.asgi
from django.urls import get_resolver
from tests.architecture.routes import api_routes
assert len(api_routes()) > 40
assert get_resolver().url_patterns
loaded = [name for name in sys.modules if name.startswith(("hosts.drivers.libvirt", "hosts.drivers.simulated"))]
assert loaded == [], loaded
print("routes", len(api_routes()))
"""


def test_the_web_process_loads_without_libvirt_and_without_a_driver():
    done = subprocess.run([sys.executable, "-c", WEB_WITHOUT_LIBVIRT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("routes ")


@pytest.mark.parametrize("package", ["hosts.api", "vms.api", "billing.api", "panel.core.api"])
def test_every_view_is_in_an_api_package(package):
    """So that the import rules, which are written for these packages, bind them all."""
    modules = {route.view.__module__ for route in api_routes() if route.name != "schema"}
    assert any(module.startswith(package) for module in modules)
    packages = ("hosts.api", "vms.api", "billing.api", "panel.core.api", "panel.pages")
    assert [m for m in modules if not m.startswith(packages)] == []
