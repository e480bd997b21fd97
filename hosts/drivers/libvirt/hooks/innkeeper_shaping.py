"""Can the kernel shape traffic as libvirt does it? Tried on an interface of its own, which goes again."""

import os

from innkeeper_guest import HookError
from innkeeper_process import run

# The kinds that libvirt's <bandwidth> needs (virNetDevBandwidthSet).
_COMMANDS = (
    "qdisc add dev {0} root handle 1: htb default 1",
    "class add dev {0} parent 1: classid 1:1 htb rate 1000kbps",
    "qdisc add dev {0} parent 1:1 handle 2: sfq perturb 10",
    "qdisc add dev {0} ingress",
)


def obstacle() -> str:
    """Return why traffic cannot be shaped on this host; "" when it can."""
    device = f"ikp{os.getpid()}"
    try:
        run("ip", "link", "add", device, "type", "bridge")
    except HookError as error:
        return f"Traffic shaping could not be tried: {error}"
    try:
        for command in _COMMANDS:
            run("tc", *command.format(device).split())
    except HookError as error:
        return f"The host's kernel cannot shape traffic: {error}"
    finally:
        run("ip", "link", "del", device)
    return ""
