"""Placement's filters and score, without a database."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.drivers.types import Capability
from hosts.models import Host, HostConnection, Network, StoragePool
from hosts.services.placement import Candidate, Wish, judge, needs_of, rank


def candidate(name: str = "h", **changes) -> Candidate:
    """A host with 8 vCPUs, 8 GiB and 100 GiB to sell."""
    fields = {"state": "active", "limit_vcpus": 8, "limit_memory_mib": 8192, "location": "seoul"}
    connection = changes.pop("connection", HostConnection(host_type="kvm"))
    pool = StoragePool(limit_gib=100, used_gib=changes.pop("used_gib", 0))
    networks = changes.pop("networks", [Network(name="n")])
    full = frozenset(network.pk for network in networks[: changes.pop("full_networks", 0)])
    return Candidate(
        host=Host(name=name, **{**fields, **changes}),
        connection=connection,
        pools=[pool],
        networks=networks,
        full_networks=full,
    )


WISH = Wish(host_type="kvm", vcpus=2, memory_mib=1024, disk_gib=10)


@pytest.mark.parametrize(
    ("changes", "wish", "said"),
    [
        ({}, WISH, ""),
        ({"state": "maintenance"}, WISH, "The host is in maintenance."),
        ({"connection": None}, WISH, "The host does not offer KVM."),
        ({"connection": HostConnection(host_type="kvm", last_error="It refuses.")}, WISH, "The host does not answer."),
        ({"last_error": "LXC: It hangs."}, WISH, ""),
        ({"used_vcpus": 7}, WISH, "Not enough vCPUs are left."),
        ({"used_memory_mib": 8000}, WISH, "Not enough memory is left."),
        ({"used_gib": 95}, WISH, "Not enough disk space is left."),
        ({"networks": []}, WISH, "The host has no network."),
        ({"full_networks": 1}, WISH, "No address is left."),
        ({"networks": [Network(name="a"), Network(name="b")], "full_networks": 1}, WISH, ""),
        ({}, Wish(host_type="kvm", vcpus=1, memory_mib=1, disk_gib=1, location="oslo"), "The host is in seoul."),
    ],
)
def test_refusals(changes, wish, said):
    assert judge(candidate(**changes), wish).refusal == said


def test_missing_capability_is_refused_with_the_hosts_own_reason():
    reason = {"capability": "bandwidth", "available": False, "reason": "The kernel has no sch_sfq."}
    lacking = candidate(connection=HostConnection(host_type="kvm", capabilities=[reason]))
    wish = Wish(host_type="kvm", vcpus=1, memory_mib=1, disk_gib=1, needs=frozenset({Capability.BANDWIDTH}))
    assert judge(lacking, wish).refusal == "The kernel has no sch_sfq."


def test_what_drivers_demand_of_a_host_is_asked_of_it_before_it_is_chosen():
    assert needs_of(host_type="kvm", bandwidth=False, max_processes=90) == {Capability.ANTI_SPOOFING}
    assert needs_of(host_type="lxc", bandwidth=True, max_processes=90) == {
        Capability.ANTI_SPOOFING, Capability.BANDWIDTH, Capability.PROCESS_LIMIT,
    }  # fmt: skip
    assert needs_of(host_type="lxc", bandwidth=False, max_processes=0) == {Capability.ANTI_SPOOFING}


def test_the_emptiest_host_comes_first():
    ranked = rank([candidate("full", used_memory_mib=6000), candidate("empty"), candidate("half", used_vcpus=4)], WISH)
    assert [v.candidate.host.name for v in ranked] == ["empty", "half", "full"]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8192)), min_size=1, max_size=20))
def test_whatever_is_accepted_fits(used):
    hosts = [candidate(str(n), used_vcpus=v, used_memory_mib=m) for n, (v, m) in enumerate(used)]
    for verdict in rank(hosts, WISH):
        host = verdict.candidate.host
        fits = host.used_vcpus + 2 <= 8 and host.used_memory_mib + 1024 <= 8192
        assert bool(verdict.refusal) is not fits


def test_a_thousand_hosts_are_ranked_once_each():
    hosts = [candidate(str(n), used_vcpus=n % 9) for n in range(1000)]
    started = time.process_time()
    ranked = rank(hosts, WISH)
    assert len(ranked) == 1000
    assert time.process_time() - started < 1.0
