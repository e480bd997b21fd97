"""The whole path: order through the API, log in as root, power, delete, and nothing is left."""

import time

import pytest

from lab.guest import Login, fingerprints
from lab.outside import ADDRESS_V4, ADDRESS_V6
from lab.server import wait_until
from tests.lab.conftest import Lab

TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]


@pytest.mark.parametrize("host_type", TYPES)
def test_a_server_from_order_to_nothing(lab: Lab, order, host_type):
    before = lab.host.contents()
    server = order(host_type, name=f"web-{host_type}")
    assert not server.order.get("root_password")
    root = server.wait_login()

    assert root.run("id -u") == "0"
    assert root.run("hostname") == f"web-{host_type}"
    addresses = root.run("ip -o addr show scope global")
    assert f" {server.address(4)}/" in addresses
    assert f" {server.address(6)}/" in addresses
    assert server.login(6).run("id -u") == "0"
    # The password field of /etc/shadow: nothing that a hash could match.
    assert root.run("grep ^root: /etc/shadow").split(":")[1].startswith(("!", "*"))

    assert root.run(f"wget -q -O - http://{ADDRESS_V4}/") == "198.51.100.1"
    assert root.run(f"wget -q -O - http://[{ADDRESS_V6}]/") == "2001:db8:100::1"
    assert not lab.outside.reaches(server.address(4), 22)
    assert not lab.outside.reaches(server.address(6), 22)

    wait_until(lambda: server.now()["host_keys"], "fingerprints on the server's page")
    shown = {key["fingerprint"] for key in server.now()["host_keys"]}
    assert fingerprints(server.address()) <= shown

    server.delete()
    assert server.now()["lifecycle"] == "deleted"
    lab.wait_empty(before)
    wait_until(lambda: lab.host.groups_of(server.id) == [], "its control groups go", timeout_s=20)


@pytest.mark.parametrize("host_type", TYPES)
def test_power(lab: Lab, order, host_type):
    server = order(host_type)
    root = server.wait_login()
    boot_id = "cat /proc/sys/kernel/random/boot_id" if host_type == "kvm" else "stat -c %Y /proc/1"
    first = root.run(boot_id)

    server.act("reboot")
    wait_until(lambda: root.works() and root.run(boot_id, check=False) not in ("", first), "restart", timeout_s=120)

    server.act("stop")
    assert server.now()["power_state"] == "shutoff"
    assert not root.works()
    server.act("start")
    server.wait_login()

    server.act("shutdown")
    assert (server.now()["power_state"], server.now()["power_wanted"]) == ("shutoff", "off")
    server.act("start")
    server.wait_login()

    root.start("sync; poweroff")
    wait_until(lambda: not lab.host.runs(server.id), "poweroff inside", timeout_s=60)
    wait_until(lambda: server.now()["power_state"] == "shutoff", "poweroff is seen", timeout_s=15)


@pytest.mark.parametrize("host_type", TYPES)
def test_a_password_is_shown_once_and_kept_nowhere(lab: Lab, order, host_type):
    server = order(host_type, with_key=False)
    password = server.order["root_password"]
    assert len(password) >= 16
    server.wait_login()
    assert not Login(server.address(), password="wrong-password").works()
    assert "root_password" not in server.now()

    dump = lab.panel.dump()
    assert password not in dump
    wait_until(lambda: "$6$" not in lab.panel.dump(), "the hash leaves the database")
    (seed,) = lab.host.pool.glob(f"guest-{server.id}-seed*")
    scrubs = {"guest": server.id, "action": "guest.scrub-seed"}
    wait_until(lambda: any(j["status"] == "success" for j in lab.admin.get("/jobs", **scrubs)["results"]), "scrub")
    assert b"$6$" not in seed.read_bytes()
    for log in lab.panel.logs.glob("*.log"):
        assert password not in log.read_text(errors="replace")

    server.act("reboot")
    time.sleep(1)
    server.wait_login()
