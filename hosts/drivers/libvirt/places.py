"""Names and directories that this driver uses on a host, besides the pools it is told of.

The hook scripts (``hooks/``) know the same directories; a test compares the two.
"""

STATE_DIRECTORY = "/var/lib/libvirt/innkeeper"
CONSOLE_POOL = "innkeeper-console"
CONSOLE_DIRECTORY = f"{STATE_DIRECTORY}/console"
LOOK_PREFIX = "innkeeper-look-"  # of pools that are there only while somebody looks at a directory
MOUNTS_DIRECTORY = f"{STATE_DIRECTORY}/mounts"

# Where libvirt looks for hook scripts, and where the panel's controller of containers stands beside them.
HOOKS_DIRECTORY = "/etc/libvirt/hooks"
CONTAINER_EMULATOR = f"{HOOKS_DIRECTORY}/innkeeper_lxc"

# Owners on a container's disk are shifted by ``CONTAINER_ROOT_UID``; this many belong to the container.
IDMAP_COUNT = 65_536


def console_log_name(domain_name: str) -> str:
    """Return the name of the volume in ``CONSOLE_POOL`` that holds a domain's console output."""
    return f"{domain_name}.log"


def container_root(domain_name: str) -> str:
    """Return where a container's root file system is mounted on its host."""
    return f"{MOUNTS_DIRECTORY}/{domain_name}/root"


def container_seed(domain_name: str) -> str:
    """Return where a container's seed is mounted on its host."""
    return f"{MOUNTS_DIRECTORY}/{domain_name}/seed"
