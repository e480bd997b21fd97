"""A guest that lies from its first packet on, as an initrd (KVM) and as a container's root file system (LXC)."""

import gzip
import subprocess
import textwrap
from pathlib import Path

INTERFACE_MAC = "52:54:00:90:00:07"
OWN_V4, OWN_V6 = "10.90.0.7", "fd00:90::7"
STOLEN_V4, STOLEN_V6, STOLEN_MAC = "10.90.0.66", "fd00:90::66", "52:54:00:90:00:66"
VICTIM_V4, VICTIM_V6, VICTIM_MAC = "10.90.0.8", "fd00:90::8", "52:54:00:90:00:08"

_SCRIPT = f"""\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc 2>/dev/null
$bb mount -t sysfs sysfs /sys 2>/dev/null
$bb mount -t devtmpfs devtmpfs /dev 2>/dev/null
for module in /modules/*; do $bb insmod $module 2>/dev/null; done
ip() {{ $bb ip "$@"; }}
flush() {{ ip addr flush dev eth0; know; }}
know() {{
    ip neigh replace {VICTIM_V4} lladdr {VICTIM_MAC} dev eth0 nud permanent
    ip neigh replace {VICTIM_V6} lladdr {VICTIM_MAC} dev eth0 nud permanent
}}
send4() {{ $bb ping -c 1 -W 1 {VICTIM_V4}; }}
send6() {{ $bb ping6 -c 1 -W 1 {VICTIM_V6}; }}
for name in default eth0; do
    echo 0 >/proc/sys/net/ipv6/conf/$name/accept_dad
    echo 1 >/proc/sys/net/ipv6/conf/$name/ndisc_notify
done
ip addr flush dev eth0
ip addr add {STOLEN_V4}/24 dev eth0
ip link set eth0 up
know
echo "first packet: a stolen IPv4 address"; send4
echo "ARP for a stolen address"
$bb arping -c 1 -U -I eth0 {STOLEN_V4}
$bb arping -c 1 -A -I eth0 {STOLEN_V4}
flush
echo "a stolen IPv6 address, announced by the kernel"
ip addr add {STOLEN_V6}/64 dev eth0; know; $bb sleep 1; send6
flush
echo "a stolen MAC with the own addresses"
ip link set eth0 down; ip link set eth0 address {STOLEN_MAC}
ip addr add {OWN_V4}/24 dev eth0; ip link set eth0 up; ip addr add {OWN_V6}/64 dev eth0; know
send4; send6; $bb arping -c 1 -U -I eth0 {OWN_V4}
ip link set eth0 down; ip link set eth0 address {INTERFACE_MAC}
flush
echo "the own addresses; answers for a stolen one"
ip addr add {OWN_V4}/24 dev eth0; ip link set eth0 up; ip addr add {OWN_V6}/64 dev eth0
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
echo 1 >/proc/sys/net/ipv6/conf/eth0/proxy_ndp
ip -6 route add {STOLEN_V6}/128 dev lo
ip -6 neigh add proxy {STOLEN_V6} dev eth0
$bb sleep 1; send4; send6
echo INNKEEPER-READY
while :; do $bb sleep 1; send4 >/dev/null; done
"""


def initrd(scratch: Path, base: Path) -> Path:
    """Return an initrd: the drivers of ``base``, and an archive after it whose ``init`` takes the place of its own."""
    tree = scratch / "initrd"
    tree.mkdir()
    init = tree / "init"
    init.write_text(_SCRIPT)
    init.chmod(0o755)
    archive = subprocess.run(
        ["busybox", "cpio", "-o", "-H", "newc"], input=b"init\n", cwd=tree, capture_output=True, check=True
    ).stdout
    first = base.read_bytes()
    output = scratch / "initrd.img"
    # Archives are aligned to 4 bytes (Documentation/driver-api/early-userspace/buffer-format.rst).
    output.write_bytes(first + bytes(-len(first) % 4) + gzip.compress(archive))
    return output


def container_root(scratch: Path) -> Path:
    """Return an ext4 image with the same program as ``/init``."""
    tree = scratch / "root"
    for directory in ("bin", "dev", "proc", "sys", "tmp", "var"):
        (tree / directory).mkdir(parents=True)
    (tree / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (tree / "init").write_text(_SCRIPT)
    for program in ("bin/busybox", "init"):
        (tree / program).chmod(0o755)
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
        import select, socket, struct, sys, time
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
        s.bind(({interface!r}, 0))
        s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex({interface!r}), 1, 0, b""))
        print("listening", flush=True)
        end = time.monotonic() + {seconds}
        while time.monotonic() < end:
            if select.select([s], [], [], 0.2)[0]:
                frame, address = s.recvfrom(2048)
                if address[2] != 4:  # not what it sends itself
                    print(frame.hex(), flush=True)
        """)
