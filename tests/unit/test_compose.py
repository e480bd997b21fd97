"""``docker-compose.yml``: whose word about a client's address counts, how many jobs it runs, what it builds with."""

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from django.test import RequestFactory
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hosts.imagebuild.packages import PACKAGES
from hosts.services.enrolment import SLOTS
from panel.core.host_slots import EVERY_JOB
from panel.core.middleware import client_address, client_network
from panel.setup import panel_services

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())


def trusted() -> str:
    """The default of PROXY_ADDRESS."""
    command = COMPOSE["services"]["web"]["command"]
    (found,) = re.findall(r"--proxy-headers --forwarded-allow-ips=\$\{PROXY_ADDRESS:-([^}]+)\}", command)
    return found


def test_the_proxy_on_this_machine_has_the_gateways_address():
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert trusted() == network["gateway"]
    assert COMPOSE["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (trusted(), "203.0.113.5", "203.0.113.5"),
        (trusted(), "198.51.100.9, 203.0.113.5", "203.0.113.5"),
        ("172.30.93.7", "203.0.113.5", "172.30.93.7"),
        ("192.0.2.1", "127.0.0.1", "192.0.2.1"),
    ],
)
def test_only_the_proxys_last_word_counts(peer, forwarded, address):
    seen = []

    async def application(scope, receive, send):
        seen.append(RequestFactory(REMOTE_ADDR=scope["client"][0]).get("/"))

    scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
    asyncio.run(cast(Any, ProxyHeadersMiddleware(application, trusted_hosts=trusted()))(scope, None, None))
    assert client_address(seen[0]) == address


@pytest.mark.parametrize(
    ("remote", "address", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("2001:db8::7", "2001:db8::7", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("unknown", None, ""),
        ("", None, ""),
    ],
)
def test_an_address_is_one_or_none(remote, address, network):
    request = RequestFactory(REMOTE_ADDR=remote).get("/")
    assert (client_address(request), client_network(request)) == (address, network)


def test_a_host_bears_fewer_jobs_than_there_are_workers():
    (worker,) = re.findall(r"-Q jobs -c (\d+)", COMPOSE["services"]["worker"]["command"])
    assert SLOTS[EVERY_JOB] < int(worker) == panel_services._WORKER_CONCURRENCY
    assert max(SLOTS.values()) <= SLOTS[EVERY_JOB]


def test_builder_s_container_has_the_packages_that_it_needs_and_no_others():
    file = COMPOSE["x-panel"]["build"]["dockerfile_inline"]
    (listed,) = re.findall(r"--no-install-recommends (.*?) &&", re.sub(r"\\\n\s*", "", file))
    to_build_python = {"gcc", "libc6-dev", "libpq-dev", "libvirt-dev", "pkg-config"}
    in_every_debian = {"apt", "dpkg", "util-linux"}
    to_back_up = {"postgresql-client"}
    assert set(listed.split()) - to_build_python - to_back_up == set(PACKAGES) - in_every_debian
    assert "cache:/cache" in COMPOSE["services"]["worker"]["volumes"]
