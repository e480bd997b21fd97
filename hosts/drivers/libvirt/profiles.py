"""What differs between KVM, Xen and LXC beside the XML."""

from dataclasses import dataclass

from hosts.drivers.types import Capability, HostType


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of hypervisor as libvirt drives it.

    ``never`` names what this kind cannot do on any host, with the reason shown to people. ``hooked``: the panel's
    hook script exists for it.
    """

    host_type: HostType
    hypervisor: str
    hooked: bool
    bulk_stats: bool
    keeps_console: bool
    never: dict[Capability, str]


KVM = Profile(
    host_type=HostType.KVM,
    hypervisor="QEMU",
    hooked=True,
    bulk_stats=True,
    keeps_console=True,
    never={Capability.PROCESS_LIMIT: "Only containers have a limit on processes."},
)
LXC = Profile(
    host_type=HostType.LXC,
    hypervisor="LXC",
    hooked=True,
    bulk_stats=False,
    keeps_console=True,
    never={
        Capability.ACCELERATION: "Containers run on the host's own kernel and need none.",
        Capability.BULK_STATS: "libvirt's LXC driver answers for one container at a time.",
        Capability.GRAPHICS: "Containers have no graphics card.",
        Capability.GUEST_AGENT: "Containers have no guest agent.",
    },
)
XEN = Profile(
    host_type=HostType.XEN,
    hypervisor="Xen",
    hooked=False,
    bulk_stats=False,
    keeps_console=False,
    never={
        Capability.ANTI_SPOOFING: "There are no rules against spoofing for Xen yet.",
        Capability.BULK_STATS: "libvirt's Xen driver answers for one domain at a time.",
        Capability.GUEST_AGENT: "libvirt's Xen driver knows no guest agent.",
        Capability.PROCESS_LIMIT: "Only containers have a limit on processes.",
    },
)
PROFILES = {profile.host_type: profile for profile in (KVM, LXC, XEN)}
