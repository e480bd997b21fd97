"""The guests' subnets collide with nothing."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from panel.setup import guest_network
from panel.setup.errors import SetupError
from panel.setup.guest_network import ruleset
from panel.setup.subnet import GuestSubnets, candidates, choose_v4, choose_v6, parse_v4, usable_resolvers


def test_the_first_candidate_is_taken_on_an_empty_machine():
    assert choose_v4(["default", "192.168.1.0/24"]) == IPv4Network("10.90.0.0/24")


def test_a_route_pushes_the_choice_on_by_what_it_covers():
    assert choose_v4(["10.90.0.0/24"]) == IPv4Network("10.90.1.0/24")
    assert choose_v4(["10.90.0.0/16", "10.91.0.77"]) == IPv4Network("10.91.1.0/24")


def test_the_last_free_one_is_found():
    *others, last = candidates()
    assert choose_v4(map(str, others)) == last == IPv4Network("10.99.255.0/24")


def test_a_machine_in_a_large_private_network_is_told_what_to_do():
    with pytest.raises(SetupError, match="GUEST_NETWORK="):
        choose_v4(["10.0.0.0/8"])


@pytest.mark.parametrize("text", ["192.168.77.0/24", "10.5.0.0/16", "172.20.0.0/28"])
def test_a_subnet_of_ones_own(text: str):
    assert parse_v4(text, ["10.0.0.0/8"]) == IPv4Network(text)


@pytest.mark.parametrize("text", ["192.168.77.1/24", "8.8.8.0/24", "10.0.0.0/8", "192.168.77.0/30", "x"])
def test_what_is_no_private_subnet_of_useful_size_is_refused(text: str):
    with pytest.raises(SetupError, match="GUEST_NETWORK"):
        parse_v4(text, [])


def test_a_subnet_in_use_is_refused():
    with pytest.raises(SetupError, match="in use"):
        parse_v4("192.168.77.0/24", ["192.168.77.0/24"])


def test_the_ipv6_subnet_is_local_stable_and_differs_by_seed():
    network = choose_v6("machine:abcd")
    assert network == choose_v6("machine:abcd") != choose_v6("machine:abce")
    assert network.prefixlen == 64
    assert network[0].exploded.startswith("fd")


def test_guests_get_only_resolvers_they_can_reach():
    assert usable_resolvers(
        "nameserver 127.0.0.53\nnameserver 169.254.169.253\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch x\n"
    ) == ["192.0.2.53"]


def _rules(*, ipv6: bool = True, web_port: int | None = None) -> str:
    subnets = GuestSubnets(IPv4Network("10.90.0.0/24"), choose_v6("x"))
    return ruleset(table="innkeeper_abcd", bridge="inkabcd", subnets=subnets, ipv6=ipv6, web_port=web_port)


def test_the_rules_replace_the_table_in_one_transaction():
    assert _rules().startswith(
        "table inet innkeeper_abcd { }\ndelete table inet innkeeper_abcd\ntable inet innkeeper_abcd {"
    )


def test_ipv6_is_masqueraded_only_where_it_is_forwarded():
    assert _rules(ipv6=True).count("masquerade") == 2
    assert _rules(ipv6=False).count("masquerade") == 1


def test_guests_reach_the_panel_only_where_it_listens_for_others():
    assert "tcp dport" not in _rules()
    assert "iifname inkabcd tcp dport 8443 accept" in _rules(web_port=8443)


def test_the_shared_table_is_the_hooks_own():
    hook = Path(guest_network.__file__).parents[2] / "hosts" / "drivers" / "libvirt" / "hooks" / "innkeeper_rules.py"
    assert f'TABLE = "{guest_network.GUARD_TABLE}"' in hook.read_text()
