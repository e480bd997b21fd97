"""A guest that lies from its first packet on, as an initrd (KVM) and as a container's root file system (LXC).

It sends prepared Ethernet frames. Each carries its name, so that a test can tell which arrived.
"""

import gzip
import struct
import subprocess
import textwrap
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from pathlib import Path

OWN_MAC, OWN_V4, OWN_V6 = "52:54:00:90:00:07", "10.90.0.7", "fd00:90::7"
OWN_LINK_LOCAL = "fe80::5054:ff:fe90:7"
STOLEN_MAC, STOLEN_V4, STOLEN_V6 = "52:54:00:90:00:66", "10.90.0.66", "fd00:90::66"
VICTIM_MAC, VICTIM_V4, VICTIM_V6 = "52:54:00:90:00:08", "10.90.0.8", "fd00:90::8"
MARK = b"|innkeeper:"

# read(0, sockaddr_ll, 20); socket(AF_PACKET, SOCK_RAW, ETH_P_ALL); bind; read(0, frame, 2048); write; exit
_SEND_CODE = bytes.fromhex(
    "4881ec00100000 31ff 4889e6 ba14000000 31c0 0f05"
    "bf11000000 be03000000 ba00030000 b829000000 0f05 4189c4"
    "4489e7 4889e6 ba14000000 b831000000 0f05"
    "31ff 4889e6 ba00080000 31c0 0f05"
    "4489e7 4889e6 4889c2 b801000000 0f05"
    "31ff b83c000000 0f05"
)

_SCRIPT = """\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc 2>/dev/null
$bb mount -t sysfs sysfs /sys 2>/dev/null
$bb mount -t devtmpfs devtmpfs /dev 2>/dev/null
for module in /modules/*; do $bb insmod $module 2>/dev/null; done
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
index=$($bb cat /sys/class/net/eth0/ifindex)
bytes=$($bb printf '\\\\%03o\\\\%03o' $((index % 256)) $((index / 256)))
$bb ip link set eth0 up
for round in 1 2 3; do
    for frame in /frames/*; do
        { $bb printf "\\021\\000\\000\\003$bytes\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000"
          $bb cat $frame; } | /send
    done
    $bb sleep 1
done
echo INNKEEPER-READY
while :; do $bb sleep 1; done
"""


def honest_frames() -> dict[str, bytes]:
    """Return what a guest has to be able to send, by name."""
    return _named(
        {
            "ipv4": lambda mark: ipv4(OWN_MAC, OWN_V4, udp(4000, mark)),
            "ipv6": lambda mark: ipv6(OWN_MAC, OWN_V6, 17, udp(4000, mark)),
            "ipv6-link-local": lambda mark: ipv6(OWN_MAC, OWN_LINK_LOCAL, 17, udp(4000, mark)),
            "arp": lambda mark: arp(OWN_MAC, OWN_MAC, OWN_V4, VICTIM_V4) + mark,
            "arp-probe": lambda mark: arp(OWN_MAC, OWN_MAC, "0.0.0.0", OWN_V4) + mark,
            "advertisement": lambda mark: ipv6(OWN_MAC, OWN_V6, 58, neighbour(136, OWN_V6, mark)),
            "solicitation": lambda mark: ipv6(OWN_MAC, OWN_V6, 58, neighbour(135, VICTIM_V6, mark)),
            "duplicate-detection": lambda mark: ipv6(OWN_MAC, "::", 58, neighbour(135, OWN_V6, mark)),
        }
    )


def stolen_frames() -> dict[str, bytes]:
    """Return what nobody may send under another's name, by name. The first is the guest's first packet."""
    return _named(
        {
            "stolen-ipv4": lambda mark: ipv4(OWN_MAC, STOLEN_V4, udp(4000, mark)),
            "stolen-ipv6": lambda mark: ipv6(OWN_MAC, STOLEN_V6, 17, udp(4000, mark)),
            "stolen-link-local": lambda mark: ipv6(OWN_MAC, "fe80::66", 17, udp(4000, mark)),
            "stolen-mac-ipv4": lambda mark: ipv4(STOLEN_MAC, OWN_V4, udp(4000, mark)),
            "stolen-mac-ipv6": lambda mark: ipv6(STOLEN_MAC, OWN_V6, 17, udp(4000, mark)),
            "stolen-mac-arp": lambda mark: arp(STOLEN_MAC, OWN_MAC, OWN_V4, VICTIM_V4) + mark,
            "stolen-arp-address": lambda mark: arp(OWN_MAC, OWN_MAC, STOLEN_V4, VICTIM_V4) + mark,
            "stolen-arp-mac": lambda mark: arp(OWN_MAC, STOLEN_MAC, OWN_V4, VICTIM_V4) + mark,
            "stolen-arp-probe": lambda mark: arp(OWN_MAC, OWN_MAC, "0.0.0.0", STOLEN_V4) + mark,
            "stolen-advertisement": lambda mark: ipv6(OWN_MAC, OWN_V6, 58, neighbour(136, STOLEN_V6, mark)),
            "stolen-advertiser": lambda mark: ipv6(OWN_MAC, STOLEN_V6, 58, neighbour(136, STOLEN_V6, mark)),
            "stolen-solicitation": lambda mark: ipv6(OWN_MAC, STOLEN_V6, 58, neighbour(135, VICTIM_V6, mark)),
            "stolen-duplicate-detection": lambda mark: ipv6(OWN_MAC, "::", 58, neighbour(135, STOLEN_V6, mark)),
            "router": lambda mark: ipv6(OWN_MAC, OWN_LINK_LOCAL, 58, icmpv6(134, bytes(12) + mark)),
            "dhcp-server": lambda mark: ipv4(OWN_MAC, OWN_V4, udp(67, mark)),
            "dhcpv6-server": lambda mark: ipv6(OWN_MAC, OWN_LINK_LOCAL, 17, udp(547, mark)),
            "tagged": lambda mark: _tagged(ipv4(OWN_MAC, OWN_V4, udp(4000, mark))),
            "other-protocol": lambda mark: ethernet(OWN_MAC, 0x88CC, mark),
        }
    )


def _named(builders: dict[str, Callable[[bytes], bytes]]) -> dict[str, bytes]:
    return {name: build(MARK + name.encode() + b"|") for name, build in builders.items()}


def _tagged(frame: bytes) -> bytes:
    """Return a frame with a VLAN tag."""
    return frame[:12] + b"\x81\x00\x00\x05" + frame[12:]


def ethernet(source: str, kind: int, payload: bytes) -> bytes:
    """Return a frame to the victim."""
    return _mac(VICTIM_MAC) + _mac(source) + struct.pack("!H", kind) + payload


def ipv4(mac: str, source: str, payload: bytes) -> bytes:
    """Return a UDP packet."""
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0)
    header += ip_address(source).packed + ip_address(VICTIM_V4).packed
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ethernet(mac, 0x0800, header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:] + payload)


def ipv6(mac: str, source: str, kind: int, payload: bytes) -> bytes:
    """Return an IPv6 packet."""
    header = struct.pack("!IHBB", 0x60000000, len(payload), kind, 255)
    return ethernet(mac, 0x86DD, header + ip_address(source).packed + ip_address(VICTIM_V6).packed + payload)


def arp(mac: str, sender_mac: str, sender: str, target: str) -> bytes:
    """Return an ARP request."""
    addresses = _mac(sender_mac) + IPv4Address(sender).packed + bytes(6) + IPv4Address(target).packed
    return ethernet(mac, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + addresses)


def neighbour(kind: int, target: str, mark: bytes) -> bytes:
    """Return a neighbour solicitation (135) or advertisement (136)."""
    return icmpv6(kind, bytes(4) + ip_address(target).packed + mark)


def icmpv6(kind: int, body: bytes) -> bytes:
    """Return an ICMPv6 message; nobody on the way looks at its checksum."""
    return struct.pack("!BBH", kind, 0, 0) + body


def udp(source_port: int, content: bytes) -> bytes:
    """Return a datagram."""
    return struct.pack("!HHHH", source_port, 9, 8 + len(content), 0) + content


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _sender() -> bytes:
    """Return a program (ELF, x86-64) that sends what it reads: the guest has nothing else that sends any frame."""
    start, size = 0x400000, 120 + len(_SEND_CODE)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, start + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 0x1000) + _SEND_CODE


def _write_program(tree: Path) -> None:
    frames = tree / "frames"
    frames.mkdir(parents=True)
    for number, frame in enumerate([*stolen_frames().values(), *honest_frames().values()]):
        (frames / f"{number:02}").write_bytes(frame.ljust(60, b"\0"))
    for name, content in (("init", _SCRIPT.encode()), ("send", _sender())):
        (tree / name).write_bytes(content)
        (tree / name).chmod(0o755)


def initrd(scratch: Path, base: Path, script: str | None = None) -> Path:
    """Return an initrd: the drivers of ``base``, and after it an archive whose ``init`` takes the place of its own.

    ``script`` is that init; without it, it is the liar.
    """
    tree = scratch / "initrd"
    _write_program(tree)
    if script is not None:
        (tree / "init").write_text(script)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*"))) + "\n"
    archive = subprocess.run(
        ["busybox", "cpio", "-o", "-H", "newc"], input=names.encode(), cwd=tree, capture_output=True, check=True
    ).stdout
    first = base.read_bytes()
    output = scratch / "initrd.img"
    # Archives are aligned to 4 bytes (Documentation/driver-api/early-userspace/buffer-format.rst).
    output.write_bytes(first + bytes(-len(first) % 4) + gzip.compress(archive))
    return output


def container_root(scratch: Path) -> Path:
    """Return an ext4 image with the same program as ``/init``."""
    tree = scratch / "root"
    for directory in ("bin", "dev", "proc", "sys", "tmp"):
        (tree / directory).mkdir(parents=True)
    (tree / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (tree / "bin" / "busybox").chmod(0o755)
    _write_program(tree)
    return container_image(scratch, tree)


def container_image(scratch: Path, tree: Path, *, size: str = "16M") -> Path:
    """Return an ext4 image of ``tree`` that belongs to a container's root."""
    subprocess.run(["chown", "-R", "100000:100000", str(tree)], check=True)
    output = scratch / "root.ext4"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-E", "root_owner=100000:100000", "-d", str(tree), str(output), size]
    subprocess.run(command, check=True, capture_output=True)
    return output


def sniffer(interface: str, seconds: float) -> str:
    """Return a Python program that prints every frame an interface receives, as a line of hexadecimal digits."""
    return textwrap.dedent(f"""\
        import select, socket, struct, time
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
        s.bind(({interface!r}, 0))
        s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex({interface!r}), 1, 0, b""))
        print("listening", flush=True)
        end = time.monotonic() + {seconds}
        while time.monotonic() < end:
            if select.select([s], [], [], 0.2)[0]:
                print(s.recv(2048).hex(), flush=True)
        """)
