"""What a guest is told at its first boot: the seed's files and their two images."""

import email
import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pycdlib
import pytest
import yaml

from hosts.drivers.seed import SeedRequest, seed_files
from hosts.drivers.seed_media import seed_ext4, seed_iso
from hosts.drivers.types import CONTAINER_ROOT_UID, AddressSpec, NicSpec
from panel.core.errors import InvalidInputError

NIC = NicSpec(
    mac="52:54:00:00:00:07",
    bridge="ink0",
    mtu=1400,
    addresses=(
        AddressSpec(address="10.90.0.7", prefix=24, gateway="10.90.0.1"),
        AddressSpec(address="fd00:90::7", prefix=64, gateway="fd00:90::1"),
    ),
)
REQUEST = SeedRequest(
    hostname="web1",
    instance_id="6f6b",
    root_keys=("ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"),
    root_password_hash="$6$salt$hash",
    user_data="#cloud-config\npackages: [nginx]\n",
    nics=(NIC,),
    dns_servers=("10.90.0.1", "fd00:90::1"),
)


def vendor_parts(request: SeedRequest) -> dict[str, str]:
    message = email.message_from_bytes(seed_files(request).files["vendor-data"])
    return {part.get_content_type(): str(part.get_payload()) for part in message.walk() if not part.is_multipart()}


def test_metadata_names_the_guest_and_its_keys() -> None:
    assert yaml.safe_load(seed_files(REQUEST).files["meta-data"]) == {
        "instance-id": "6f6b",
        "local-hostname": "web1",
        "public-keys": ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"],
    }


def test_no_user_data_is_an_empty_cloud_config() -> None:
    assert seed_files(replace(REQUEST, user_data="")).files["user-data"] == b"#cloud-config\n{}\n"


@pytest.mark.parametrize("user_data", ["#cloud-config\nusers: []\n", "#!/bin/sh\necho hej\n", "ÅÄÖ\r\n\tx"])
def test_user_data_is_passed_byte_for_byte(user_data: str) -> None:
    assert seed_files(replace(REQUEST, user_data=user_data)).files["user-data"] == user_data.encode()


def test_vendor_data_allows_root_and_its_password() -> None:
    parts = vendor_parts(REQUEST)
    assert yaml.safe_load(parts["text/cloud-config"]) == {
        "disable_root": False,
        "ssh_pwauth": True,
        "manage_etc_hosts": "localhost",
        "prefer_fqdn_over_hostname": True,
    }
    assert "\nhash='$6$salt$hash'\n" in parts["text/cloud-boothook"]


@pytest.mark.parametrize(
    ("told", "accepted"),
    [
        (None, ["PermitRootLogin yes"]),
        ("PasswordAuthentication yes", ["PermitRootLogin yes"]),
        ("PasswordAuthentication no", ["PermitRootLogin yes", "PasswordAuthentication yes"]),
    ],
)
def test_a_new_password_is_accepted_also_where_the_first_boot_forbade_passwords(
    tmp_path: Path, told: str | None, accepted: list[str]
) -> None:
    """The hook, run in a directory instead of a guest's root."""
    settings = tmp_path / "etc/ssh/sshd_config.d"
    settings.mkdir(parents=True)
    (tmp_path / "var/lib/cloud").mkdir(parents=True)
    (tmp_path / "chpasswd").write_text(f"#!/bin/sh\ncat >>{tmp_path}/set\n")
    (tmp_path / "chpasswd").chmod(0o755)
    if told is not None:
        (settings / "50-cloud-init.conf").write_text(f"{told}\n")
    hook = vendor_parts(REQUEST)["text/cloud-boothook"].partition("\n")[2]
    for path in ("/etc/", "/var/lib/"):
        hook = hook.replace(path, f"{tmp_path}{path}")

    for _ in range(2):  # the second boot has nothing to do
        subprocess.run(["sh", "-c", f"PATH={tmp_path}:$PATH\n{hook}"], check=True)

    assert (settings / "10-innkeeper.conf").read_text().splitlines() == accepted
    assert (tmp_path / "set").read_text() == "root:$6$salt$hash\n"


def test_without_a_password_nothing_of_the_hook_is_left() -> None:
    request = replace(REQUEST, root_password_hash=None)
    parts = vendor_parts(request)
    assert list(parts) == ["text/cloud-config"]
    assert yaml.safe_load(parts["text/cloud-config"])["ssh_pwauth"] is False
    assert "innkeeper/root-password" not in seed_files(request).files


def test_scrubbing_removes_every_trace_of_the_hash() -> None:
    scrubbed = seed_files(replace(REQUEST, root_password_hash=None))
    for content in (*scrubbed.files.values(), seed_iso(scrubbed), seed_ext4(scrubbed)):
        assert b"$6$" not in content


def test_network_is_matched_by_mac() -> None:
    assert yaml.safe_load(seed_files(REQUEST).files["network-config"]) == {
        "version": 2,
        "ethernets": {
            "nic0": {
                "match": {"macaddress": "52:54:00:00:00:07"},
                "dhcp4": False,
                "dhcp6": False,
                "accept-ra": False,
                "mtu": 1400,
                "addresses": ["10.90.0.7/24", "fd00:90::7/64"],
                "routes": [{"to": "0.0.0.0/0", "via": "10.90.0.1"}, {"to": "::/0", "via": "fd00:90::1"}],
                "nameservers": {"addresses": ["10.90.0.1", "fd00:90::1"]},
            }
        },
    }


def test_a_gateway_outside_the_subnet_is_on_link_and_a_second_nic_gives_way() -> None:
    second = NicSpec(
        mac="52:54:00:00:00:08",
        bridge="ink1",
        addresses=(AddressSpec(address="203.0.113.9", prefix=32, gateway="10.0.0.1"),),
    )
    network = yaml.safe_load(seed_files(replace(REQUEST, nics=(NIC, second))).files["network-config"])
    assert network["ethernets"]["nic1"]["routes"] == [
        {"to": "0.0.0.0/0", "via": "10.0.0.1", "on-link": True, "metric": 1124}
    ]


def test_line_files_say_the_same() -> None:
    files = seed_files(REQUEST).files
    assert files["innkeeper/hostname"] == b"web1\n"
    assert files["innkeeper/instance-id"] == b"6f6b\n"
    assert files["innkeeper/authorized_keys"] == b"ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"
    assert files["innkeeper/root-password"] == b"$6$salt$hash\n"
    assert files["innkeeper/network"].decode().splitlines() == [
        "nic 52:54:00:00:00:07 1400",
        "address 52:54:00:00:00:07 10.90.0.7/24",
        "address 52:54:00:00:00:07 fd00:90::7/64",
        "gateway 52:54:00:00:00:07 10.90.0.1 1024",
        "gateway 52:54:00:00:00:07 fd00:90::1 1024",
        "dns 10.90.0.1",
        "dns fd00:90::1",
    ]


def test_a_gateway_named_twice_is_routed_once() -> None:
    twice = replace(NIC, addresses=(*NIC.addresses, AddressSpec(address="10.90.0.8", prefix=24, gateway="10.90.0.1")))
    lines = seed_files(replace(REQUEST, nics=(twice,))).files["innkeeper/network"].decode().splitlines()
    assert [line for line in lines if line.startswith("gateway")] == [
        "gateway 52:54:00:00:00:07 10.90.0.1 1024",
        "gateway 52:54:00:00:00:07 fd00:90::1 1024",
    ]


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, hostname="web\nroot-password x"),
        replace(REQUEST, instance_id="a\rb"),
        replace(REQUEST, root_keys=("ssh-ed25519 AAAA\nssh-rsa EVIL",)),
        replace(REQUEST, root_password_hash="$6$x'; reboot; '"),
        replace(REQUEST, root_password_hash="x:0:0"),
        replace(REQUEST, dns_servers=("10.0.0.1\nnic",)),
        replace(REQUEST, dns_servers=("fe80::1%1\nnic",)),
        replace(REQUEST, nics=(replace(NIC, addresses=(AddressSpec(address="fd00::7%1\nnic", prefix=64),)),)),
    ],
)
def test_a_value_that_could_break_out_of_its_line_is_refused(request_: SeedRequest) -> None:
    with pytest.raises(InvalidInputError):
        seed_files(request_)


def test_iso_holds_every_file_under_its_name_and_label() -> None:
    seed = seed_files(REQUEST)
    image = seed_iso(seed)
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    assert iso.pvd.volume_identifier.decode().strip() == "cidata"
    for name, content in seed.files.items():
        for where in ({"rr_path": f"/{name}"}, {"joliet_path": f"/{name}"}):
            output = io.BytesIO()
            iso.get_file_from_iso_fp(output, **where)
            assert output.getvalue() == content
    iso.close()


def test_ext4_belongs_to_the_containers_root_alone(tmp_path: Path) -> None:
    seed = seed_files(replace(REQUEST, user_data="x" * 65536))
    image = tmp_path / "seed.ext4"
    image.write_bytes(seed_ext4(seed))

    def debugfs(command: str) -> str:
        return subprocess.run(
            ["/usr/sbin/debugfs", "-R", command, str(image)], capture_output=True, text=True, check=True
        ).stdout

    for name, content in seed.files.items():
        assert debugfs(f"cat /{name}").encode() == content
        stat = debugfs(f"stat /{name}")
        assert f"User: {CONTAINER_ROOT_UID}   Group: {CONTAINER_ROOT_UID}" in stat
        assert "Mode:  0600" in stat
    assert f"User: {CONTAINER_ROOT_UID}" in debugfs("stat /")
    checked = subprocess.run(["/usr/sbin/e2fsck", "-fn", str(image)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
