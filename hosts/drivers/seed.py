"""What a guest is told at its first boot: a NoCloud seed (``seed_media`` packs it).

Two kinds of guest read the same seed:

* cloud-init (https://cloudinit.readthedocs.io, datasource NoCloud) reads ``meta-data``, ``user-data``,
  ``vendor-data`` and ``network-config``. ``user-data`` is the customer's alone, byte for byte; what the
  panel wants is in the other three, so neither displaces the other by accident.
* a guest without cloud-init (the ``micro`` image) reads the files below ``innkeeper/``: one fact a line,
  so that a shell script can parse them.

In the images root's password is locked. A seed without ``root_password_hash`` leaves it as it is (``micro``
locks it again for a new ``instance_id``). So the panel can scrub the hash from a seed after the first boot,
and can set another password by writing a seed with another hash: it is applied once, at the next boot.
"""

from dataclasses import dataclass, field
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from ipaddress import ip_address, ip_interface
from typing import Any

import yaml

from hosts.drivers.types import AddressSpec, NicSpec, SeedFiles
from panel.core.errors import InvalidInputError
from panel.core.ip import address_parse

_NO_USER_DATA = "#cloud-config\n{}\n"  # cloud-init complains about an empty file
_BOUNDARY = "innkeeper-vendor-data"
_HOOK = """\
#cloud-boothook
#!/bin/sh
# Runs early in every boot. A hash is applied once: a password changed in the guest later stays.
hash='{hash}'
mark=/var/lib/cloud/innkeeper-root-password
digest=$(printf '%s' "$hash" | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$digest" ]; then
    printf 'root:%s\\n' "$hash" | chpasswd -e || exit 1
    mkdir -p /etc/ssh/sshd_config.d
    echo 'PermitRootLogin yes' >/etc/ssh/sshd_config.d/10-innkeeper.conf
    # A machine that was made with keys alone was told so at its first boot, in a file that is read after this one.
    if grep -qs '^PasswordAuthentication no' /etc/ssh/sshd_config.d/50-cloud-init.conf /etc/ssh/sshd_config; then
        echo 'PasswordAuthentication yes' >>/etc/ssh/sshd_config.d/10-innkeeper.conf
    fi
    printf '%s\\n' "$digest" >"$mark"
fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRequest:
    """Everything a guest is told. ``root_keys`` are lines of authorized_keys."""

    hostname: str
    instance_id: str
    root_keys: tuple[str, ...] = ()
    root_password_hash: str | None = field(default=None, repr=False)  # crypt(5), "$6$..."
    user_data: str = field(default="", repr=False)
    nics: tuple[NicSpec, ...] = ()
    dns_servers: tuple[str, ...] = ()


def seed_files(request: SeedRequest) -> SeedFiles:
    """Return the files of a guest's seed.

    Raises: InvalidInputError when a value cannot stand on one line or an address is none.
    """
    _check(request)
    files = {
        "meta-data": _yaml(_meta_data(request)),
        "user-data": (request.user_data or _NO_USER_DATA).encode(),
        "vendor-data": _vendor_data(request),
        "network-config": _yaml(_network_config(request)),
        "innkeeper/instance-id": _lines([request.instance_id]),
        "innkeeper/hostname": _lines([request.hostname]),
        "innkeeper/authorized_keys": _lines(request.root_keys),
        "innkeeper/network": _lines(_network_lines(request)),
    }
    if request.root_password_hash is not None:
        files["innkeeper/root-password"] = _lines([request.root_password_hash])
    return SeedFiles(files=files)


def _check(request: SeedRequest) -> None:
    single_lines = {
        "hostname": [request.hostname],
        "instance_id": [request.instance_id],
        "root_keys": request.root_keys,
        "root_password_hash": [request.root_password_hash or ""],
    }
    for name, values in single_lines.items():
        if any(not value.isprintable() for value in values):
            raise InvalidInputError(fields={name: "This must be one line of printable characters."})
    if "'" in (request.root_password_hash or "") or ":" in (request.root_password_hash or ""):
        raise InvalidInputError(fields={"root_password_hash": "This is no crypt(5) hash."})
    try:
        for server in request.dns_servers:
            address_parse(server)
        for nic in request.nics:
            for address in nic.addresses:
                ip_interface(f"{address.address}/{address.prefix}")
                for text in filter(None, (address.address, address.gateway)):
                    address_parse(text)
    except ValueError as error:
        raise InvalidInputError(f"The network settings are wrong: {error}.") from error


def _meta_data(request: SeedRequest) -> dict[str, Any]:
    return {
        "instance-id": request.instance_id,
        "local-hostname": request.hostname,
        "public-keys": list(request.root_keys),
    }


def _vendor_data(request: SeedRequest) -> bytes:
    """Return cloud-config and, when there is a password, a hook that sets it.

    A hook and not ``chpasswd``: that and ``write_files`` are lost when the customer's user-data has
    them too, and nothing else lets sshd accept root's password.
    """
    config = {
        "disable_root": False,
        "ssh_pwauth": request.root_password_hash is not None,
        "manage_etc_hosts": "localhost",
        "prefer_fqdn_over_hostname": True,
    }
    parts = [MIMEText(_cloud_config(config), "cloud-config", "us-ascii")]
    if request.root_password_hash is not None:
        parts.append(MIMEText(_HOOK.format(hash=request.root_password_hash), "cloud-boothook", "us-ascii"))
    message = MIMEMultipart(boundary=_BOUNDARY, _subparts=parts)
    return message.as_bytes()


def _network_config(request: SeedRequest) -> dict[str, Any]:
    """Return network-config version 2 (https://netplan.readthedocs.io), one entry a nic, found by its MAC."""
    ethernets = {}
    for index, nic in enumerate(request.nics):
        entry: dict[str, Any] = {
            "match": {"macaddress": nic.mac},
            "dhcp4": False,
            "dhcp6": False,
            "accept-ra": False,
            "mtu": nic.mtu,
            "addresses": [f"{address.address}/{address.prefix}" for address in nic.addresses],
        }
        routes = []
        for address in _gateways(nic):
            route: dict[str, Any] = {
                "to": "0.0.0.0/0" if ip_address(address.gateway).version == 4 else "::/0",
                "via": address.gateway,
            }
            if not _on_subnet(address):
                route["on-link"] = True
            if index:
                route["metric"] = _metric(index)
            routes.append(route)
        if routes:
            entry["routes"] = routes
        if request.dns_servers:
            entry["nameservers"] = {"addresses": list(request.dns_servers)}
        ethernets[f"nic{index}"] = entry
    return {"version": 2, "ethernets": ethernets}


def _network_lines(request: SeedRequest) -> list[str]:
    """Return ``nic MAC MTU``, ``address MAC ADDRESS/PREFIX``, ``gateway MAC ADDRESS METRIC`` and ``dns ADDRESS``."""
    lines = []
    for index, nic in enumerate(request.nics):
        lines.append(f"nic {nic.mac} {nic.mtu}")
        lines += [f"address {nic.mac} {address.address}/{address.prefix}" for address in nic.addresses]
        lines += [f"gateway {nic.mac} {address.gateway} {_metric(index)}" for address in _gateways(nic)]
    return lines + [f"dns {server}" for server in request.dns_servers]


def _gateways(nic: NicSpec) -> list[AddressSpec]:
    """Return the nic's addresses that bring a gateway, each gateway once."""
    gateways: dict[str, AddressSpec] = {}
    for address in nic.addresses:
        if address.gateway:
            gateways.setdefault(address.gateway, address)
    return list(gateways.values())


def _on_subnet(address: AddressSpec) -> bool:
    return ip_address(address.gateway) in ip_interface(f"{address.address}/{address.prefix}").network


def _metric(index: int) -> int:
    """Return a nic's route metric: the first nic wins. The kernel's own for IPv6 is 1024."""
    return 1024 + 100 * index


def _cloud_config(config: dict[str, Any]) -> str:
    return "#cloud-config\n" + _yaml(config).decode()


def _yaml(value: dict[str, Any]) -> bytes:
    return bytes(yaml.safe_dump(value, sort_keys=False, width=4096), "utf-8")


def _lines(values: tuple[str, ...] | list[str]) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()
