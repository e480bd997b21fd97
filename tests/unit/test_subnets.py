"""Arithmetic of subnets."""

import pytest

from hosts.services.subnets import Subnets, subnets_checked
from panel.core.errors import InvalidInputError


def checked(**fields):
    return subnets_checked(
        **{"cidr_v4": "", "gateway_v4": None, "cidr_v6": "", "gateway_v6": None, "reserved": [], **fields}
    )


def test_a_subnet_hands_out_all_but_gateway_reserved_and_the_two_ends():
    subnets = checked(cidr_v4="203.0.113.0/29", gateway_v4="203.0.113.1", reserved=["203.0.113.3"])
    assert list(subnets.v4_addresses()) == [
        (2, "203.0.113.2"),
        (4, "203.0.113.4"),
        (5, "203.0.113.5"),
        (6, "203.0.113.6"),
    ]


def test_a_reserved_range_comes_back_as_addresses_once_each():
    subnets = checked(
        cidr_v4="10.1.0.0/24", gateway_v4="10.1.0.1", reserved=["10.1.0.9", "10.1.0.8 - 10.1.0.10", "10.1.0.2"]
    )
    assert subnets.reserved == ("10.1.0.2", "10.1.0.8", "10.1.0.9", "10.1.0.10")


def test_ipv6_is_spelled_canonically():
    subnets = checked(cidr_v6="2001:DB8:0:0::/64", gateway_v6="2001:db8::0001", reserved=["2001:DB8::5"])
    assert (subnets.cidr_v6, subnets.gateway_v6, subnets.reserved) == ("2001:db8::/64", "2001:db8::1", ("2001:db8::5",))
    assert list(subnets.v4_addresses()) == []


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({}, "cidr_v4", "Give an IPv4 or an IPv6 subnet, or both."),
        (
            {"cidr_v4": "10.1.0.1/24"},
            "cidr_v4",
            "10.1.0.1/24 has bits set right of the prefix; a subnet looks like 203.0.113.0/24.",
        ),
        ({"cidr_v4": "ten"}, "cidr_v4", "ten is not a subnet; a subnet looks like 203.0.113.0/24."),
        ({"cidr_v4": "10.0.0.0/8"}, "cidr_v4", "The prefix length must be from 16 to 30."),
        ({"cidr_v6": "fd00::/16"}, "cidr_v6", "The prefix length must be from 32 to 120."),
        ({"cidr_v4": "10.1.0.0/24"}, "gateway_v4", "A subnet needs a gateway."),
        ({"cidr_v4": "10.1.0.0/24", "gateway_v4": "10.2.0.1"}, "gateway_v4", "The gateway must be inside 10.1.0.0/24."),
        (
            {"cidr_v4": "10.1.0.0/24", "gateway_v4": "10.1.0.255"},
            "gateway_v4",
            "10.1.0.255 is not a usable address of 10.1.0.0/24.",
        ),
        (
            {"cidr_v4": "10.1.0.0/24", "gateway_v4": "10.1.0.1", "gateway_v6": "fd00::1"},
            "gateway_v6",
            "A gateway needs a subnet.",
        ),
        (
            {"cidr_v4": "10.1.0.0/24", "gateway_v4": "10.1.0.1", "reserved": ["10.1.0.2", "10.9.0.1"]},
            "reserved.1",
            "10.9.0.1 is not inside this network.",
        ),
        (
            {"cidr_v4": "10.1.0.0/24", "gateway_v4": "10.1.0.1", "reserved": ["10.1.0.9-10.1.0.2"]},
            "reserved.0",
            "10.1.0.9-10.1.0.2 is not a range from a lower to a higher address.",
        ),
        (
            {"cidr_v6": "fd00::/64", "gateway_v6": "fd00::1", "reserved": ["fd00::2-fd00::9"]},
            "reserved.0",
            "Ranges are for IPv4; give IPv6 addresses one by one.",
        ),
    ],
)
def test_a_wrong_field_is_named_with_one_sentence(fields, field, sentence):
    with pytest.raises(InvalidInputError) as refused:
        checked(**fields)
    assert refused.value.fields[field] == sentence


def test_overlap_is_by_family():
    one = Subnets(cidr_v4="10.0.0.0/24", cidr_v6="fd00::/64")
    assert one.overlaps(Subnets(cidr_v4="10.0.0.128/25"))
    assert one.overlaps(Subnets(cidr_v4="10.9.0.0/24", cidr_v6="fd00::/48"))
    assert not one.overlaps(Subnets(cidr_v4="10.0.1.0/24", cidr_v6="fd00:1::/64"))
