"""A customer's root cannot take another customer's addresses, on the same host, by any of the usual ways.

What is sent in the first moment after boot is tested beside the driver, with guests that do nothing else.
"""

import pytest

from lab.client import Api
from lab.outside import ADDRESS_V4
from lab.server import Server
from lab.wire import Listener
from tests.lab.conftest import Lab

TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]
GATEWAY_V4, GATEWAY_V6 = "10.90.0.1", "fd00:90::1"


@pytest.fixture
def victim(lab: Lab, order) -> Server:
    """A server that is off, so that nothing but the rules keeps others from its addresses."""
    server = order("lxc", name="victim", customer=new_customer(lab.admin, "Victim"))
    server.act("stop")
    return server


def new_customer(api: Api, name: str) -> str:
    return str(api.post("/customers", {"name": name})["id"])


@pytest.mark.parametrize("host_type", TYPES)
def test_root_cannot_speak_as_another_server(lab: Lab, order, victim, host_type):
    attacker = order(host_type, name="attacker", customer=new_customer(lab.admin, "Attacker"))
    root = attacker.wait_login()
    device = root.run("ip -o -4 addr show scope global | awk '{print $2; exit}'")
    v4, v6 = victim.address(4), victim.address(6)

    with Listener(lab.host.bridge) as heard:
        root.run(f"ping -c 2 -W 2 {GATEWAY_V4}")
        root.run(f"ip addr add {v4}/24 dev {device}; ip addr add {v6}/64 dev {device} nodad; true")
        stolen = root.run(f"ping -c 2 -W 2 -I {v4} {GATEWAY_V4}; echo $?", check=False)
        stolen_v6 = root.run(f"ping -6 -c 2 -W 2 -I {v6} {GATEWAY_V6}; echo $?", check=False)
        # Announcements, as a takeover would send them.
        root.run(f"arping -c 2 -A -I {device} {v4} || arping -c 2 -U -I {device} {v4}; true", check=False)
        root.run(f"ping -c 1 -W 1 -I {v4} {ADDRESS_V4}; true", check=False)
    assert heard.naming(attacker.address(4)) > 0
    assert stolen.splitlines()[-1] != "0"
    assert stolen_v6.splitlines()[-1] != "0"
    assert heard.naming(v4) == 0
    assert heard.naming(v6) == 0


@pytest.mark.parametrize("host_type", TYPES)
def test_root_cannot_send_from_another_hardware_address(lab: Lab, order, victim, host_type):
    attacker = order(host_type, name="attacker", customer=new_customer(lab.admin, "Attacker"))
    root = attacker.wait_login()
    device = root.run("ip -o -4 addr show scope global | awk '{print $2; exit}'")
    own = attacker.mac
    # The connection is lost with the address, so it must put its own back by itself.
    steal = (
        f"ip link set {device} down; ip link set {device} address {victim.mac}; ip link set {device} up; sleep 1;"
        f"ping -c 3 -W 1 {GATEWAY_V4}; ping -6 -c 2 -W 1 {GATEWAY_V6};"
        f"ip link set {device} down; ip link set {device} address {own}; ip link set {device} up"
    )
    with Listener(lab.host.bridge) as heard:
        root.run(f"(sleep 1; {steal}) >/tmp/steal.log 2>&1 </dev/null & echo started")
        attacker_is_back = attacker.wait_login_after(12)
    assert attacker_is_back.run("grep -c 'packets transmitted' /tmp/steal.log") != "0"
    assert heard.from_mac(victim.mac) == 0
    assert heard.from_mac(own) > 0


@pytest.mark.lxc
def test_no_rules_no_start(lab: Lab, order):
    """A host whose hook cannot set its rules starts no container, and says so; healed, it does."""
    server = order("lxc", name="closed")
    server.act("stop")
    rules = lab.host.directory / "libvirt" / "etc" / "hooks" / "innkeeper_rules.py"
    kept = rules.read_text()
    rules.write_text("raise SystemExit('no rules on this host')\n")
    try:
        job = server.api.job(server.api.post(f"/guests/{server.id}/actions/start")["job"]["id"])
        assert job["status"] == "error"
        assert job["error"]["message"]
        assert server.now()["power_state"] == "shutoff"
    finally:
        rules.write_text(kept)
    server.act("start")
    server.wait_login()
