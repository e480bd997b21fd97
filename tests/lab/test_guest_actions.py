"""What root sees of the actions that change a server: a new password, a new system, another size."""

import pytest

from lab.guest import Login, fingerprints
from lab.server import Server, wait_until
from tests.lab.conftest import Lab

TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]
PASSWORD = "Correct-horse-7-battery"


def new_password(server: Server, **body: str) -> str:
    """Have root's password reset; the one that was asked for, or the one that was made."""
    accepted = server.api.post(f"/guests/{server.id}/actions/reset-root-password", body)
    server.api.done(accepted)
    return str(accepted.get("root_password") or body["root_password"])


def wait_password(server: Server, password: str, *, timeout_s: float = 180) -> Login:
    login = Login(server.address(), password=password)
    wait_until(login.works, "login with the new password", timeout_s=timeout_s)
    return login


def wait_scrubbed(lab: Lab, server: Server, *, timeout_s: float = 60) -> None:
    (seed,) = lab.host.pool.glob(f"guest-{server.id}-seed*")
    wait_until(lambda: b"$6$" not in seed.read_bytes(), "the hash leaves the seed", timeout_s=timeout_s)


@pytest.mark.parametrize("host_type", TYPES)
def test_a_server_with_keys_alone_gets_a_password(lab: Lab, order, host_type):
    server = order(host_type)
    server.wait_login()
    keys = fingerprints(server.address())

    made = new_password(server)
    assert wait_password(server, made).run("id -u") == "0"
    wait_scrubbed(lab, server)
    assert server.now()["password_set"] is True

    assert new_password(server, root_password=PASSWORD) == PASSWORD
    assert wait_password(server, PASSWORD).run("id -u") == "0"
    assert not Login(server.address(), password=made).works()
    assert server.login().run("id -u") == "0"
    assert fingerprints(server.address()) == keys

    # A password changed inside outlives the next boot, with the panel's hash gone from the seed or not.
    wait_scrubbed(lab, server)
    own = f'hash=$(mkpasswd -m sha512 {made}); sed -i "s|^root:[^:]*|root:$hash|" /etc/shadow; sync'
    server.login().run(own)
    server.act("reboot")
    assert wait_password(server, made).run("id -u") == "0"


@pytest.mark.parametrize("host_type", TYPES)
def test_a_rebuilt_server_is_a_new_one_at_the_old_address(lab: Lab, order, host_type):
    server = order(host_type, name=f"again-{host_type}")
    root = server.wait_login()
    root.run("echo mine >/root/mine; sync")
    keys = fingerprints(server.address())

    server.act("rebuild")
    root = server.wait_login()
    assert root.run("hostname; ls /root/mine", check=False).splitlines() == [f"again-{host_type}"]
    assert not keys & fingerprints(server.address())
    assert f" {server.address(6)}/" in root.run("ip -o addr show scope global")
    wait_until(lambda: server.now()["host_keys"], "fingerprints on the server's page")
    assert fingerprints(server.address()) <= {key["fingerprint"] for key in server.now()["host_keys"]}


@pytest.mark.parametrize("host_type", TYPES)
def test_a_resized_server_has_its_new_size_and_its_old_files(lab: Lab, order, host_type):
    server = order(host_type)
    root = server.wait_login()
    root.run("echo mine >/root/mine; sync")
    server.act("stop")

    server.act("resize", vcpus=2, memory_mib=384, disk_gib=2)
    server.act("start")
    root = server.wait_login()
    assert root.run("cat /root/mine") == "mine"
    assert 330 < int(root.run("awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo")) <= 384
    assert 1850 < int(root.run("df -m / | tail -n 1 | awk '{ print $2 }'")) <= 2048
    assert int(root.run("nproc")) == 2
