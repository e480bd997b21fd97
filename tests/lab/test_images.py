"""The Debian image, ordered like any other: systemd, cloud-init and, in a full machine, a kernel of its own."""

import os
from functools import partial
from pathlib import Path

import pytest

from lab.guest import Login, fingerprints
from lab.server import wait_until
from tests.lab.conftest import Lab

# An emulated Debian takes minutes to boot here, so it is tried by "make test-full" only. Not a skip: in CI a
# skipped test of a hypervisor is a failure.
FULL = "INNKEEPER_TEST_FULL" in os.environ
TYPES = [pytest.param("lxc", marks=pytest.mark.lxc)]
if FULL:
    TYPES.append(pytest.param("kvm", marks=pytest.mark.kvm))
BOOT_S = 400.0  # an emulated machine on two shared cores; about 60 s when it has them for itself
PASSWORD = "Correct-horse-7-battery"

# Everything in here collides with what the panel wants to set; neither may displace the other.
CLOUD_CONFIG = """\
#cloud-config
chpasswd: {expire: false}
ssh_authorized_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1b3bQmLw3Rr6a0z6h7oZ8n1r0Yw5k5nS9yq3m1vT2k other"]
write_files:
  - {path: /root/written, content: by cloud-config}
runcmd: ["touch /root/ran"]
"""


@pytest.fixture(scope="module")
def debian(lab: Lab) -> str:
    # The run builds it in the background from its first minute.
    built = Path(os.environ["INNKEEPER_TEST_IMAGES"], "debian-12", "manifest.json")
    wait_until(built.exists, "the image debian-12 is built", timeout_s=1200, poll_s=2)
    lab.wait_image("debian-12")
    return "debian-12"


def _configured(root: Login) -> None:
    """Wait for cloud-init. It starts sshd anew when it sets a password: a login may be refused meanwhile."""
    asked = partial(root.run, "cloud-init status --wait", timeout_s=BOOT_S, check=False)
    wait_until(lambda: "status: done" in asked(), "cloud-init is done", timeout_s=BOOT_S)


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("host_type", TYPES)
def test_debian_gives_root_by_key_and_password_and_runs_user_data(lab: Lab, order, debian, host_type):
    server = order(
        host_type,
        name=f"deb-{host_type}",
        image=debian,
        disk_gib=3,
        memory_mib=512,
        user_data=CLOUD_CONFIG,
        root_password=PASSWORD,
    )
    root = server.wait_login(timeout_s=BOOT_S)
    _configured(root)

    assert root.run("hostname") == f"deb-{host_type}"
    assert root.run("cat /root/written; ls /root/ran") == "by cloud-config/root/ran"
    assert root.run("systemctl is-system-running --wait", timeout_s=BOOT_S) == "running"
    assert int(root.run("df --output=size -BM / | tail -n 1").strip().rstrip("M")) > 2500
    for family in (4, 6):
        assert Login(server.address(family), password=PASSWORD).run("id -u") == "0"
    assert not Login(server.address(), password="wrong-password").works()

    wait_until(lambda: server.now()["host_keys"], "fingerprints on the server's page", timeout_s=BOOT_S)
    assert fingerprints(server.address()) <= {key["fingerprint"] for key in server.now()["host_keys"]}

    server.act("shutdown")
    assert server.now()["power_state"] == "shutoff"


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("host_type", TYPES)
def test_debian_ordered_with_keys_alone_takes_a_new_root_password(lab: Lab, order, debian, host_type):
    server = order(host_type, image=debian, disk_gib=3, memory_mib=512)
    root = server.wait_login(timeout_s=BOOT_S)
    _configured(root)
    keys = fingerprints(server.address())
    assert not Login(server.address(), password=PASSWORD).works()

    server.act("reset-root-password", root_password=PASSWORD)
    wait_until(Login(server.address(), password=PASSWORD).works, "login with the new password", timeout_s=BOOT_S)
    assert server.login().run("id -u") == "0"
    assert fingerprints(server.address()) == keys


if FULL:

    @pytest.mark.kvm
    @pytest.mark.timeout(3600)
    def test_root_upgrades_the_kernel_of_a_full_machine_and_boots_it(order, debian):
        older, newer = sorted(Path(os.environ["INNKEEPER_TEST_KERNELS"]).glob("*.deb"))
        server = order("kvm", image=debian, disk_gib=4, memory_mib=768)
        root = server.wait_login(timeout_s=BOOT_S)
        _configured(root)
        came_with = root.run("dpkg-query -W -f '${Package} ' 'linux-image-[0-9]*'").split()

        # Back to an older one first: what the image came with is the newest there is.
        for package, others in ((older, came_with), (newer, [package_of(older)])):
            root.send(package)
            unwanted = [name for name in others if name != package_of(package)]
            root.run(
                f"set -e; export DEBIAN_FRONTEND=noninteractive; dpkg --install {package.name};"
                f" dpkg --purge --force-depends {' '.join(unwanted)}; sync",
                timeout_s=900,
            )
            server.act("reboot")
            root = server.wait_login(timeout_s=BOOT_S)
            assert root.run("uname -r") == package_of(package).removeprefix("linux-image-")


def package_of(file: Path) -> str:
    """Return the name of the package in a file as apt-get download names it."""
    return file.name.partition("_")[0]
