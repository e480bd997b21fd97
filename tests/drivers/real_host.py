"""A real host for tests: a private libvirtd in a network namespace of its own, with a bridge and pools."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import HostType, KernelSpec, PoolSpec, VolumeFormat, VolumeRef
from panel.setup.private_libvirtd import PrivateLibvirtd

HOOKS = Path(__file__).parents[2] / "hosts" / "drivers" / "libvirt" / "hooks"
BRIDGE = "ikbr0"
GATEWAY_V4, GATEWAY_V6 = "10.90.0.1", "fd00:90::1"
_SMALL_POOL_SIZE = "16m"


def why_not() -> str:
    """Return why no real host can run here; "" when one can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("libvirtd", "virtlogd", "qemu-system-x86_64", "nft") if shutil.which(name) is None]
    return f"needs {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class RealHost:
    """One host. ``directory`` must be reachable for QEMU's user, so it is not below pytest's own."""

    directory: Path
    images: Path
    name: str

    @property
    def netns(self) -> str:
        """The host's network namespace."""
        return self.name

    @cached_property
    def libvirtd(self) -> PrivateLibvirtd:
        """The host's libvirtd."""
        return PrivateLibvirtd(
            name=self.name,
            directory=self.directory / "libvirt",
            run_dir=Path(os.environ.get("INNKEEPER_TEST_RUN", "/run"), self.name),
            hooks=HOOKS,
            netns=self.netns,
        )

    @property
    def pool(self) -> PoolSpec:
        """Where guests and images are."""
        return PoolSpec(name="guests", path=str(self.directory / "guests"))

    @property
    def small_pool(self) -> PoolSpec:
        """A pool with room for 16 MiB."""
        return PoolSpec(name="small", path=str(self.directory / "small"))

    def start(self) -> None:
        """Make namespace, bridge and mounts, then start libvirtd, which sees only mounts made before."""
        small = Path(self.small_pool.path)
        small.mkdir()
        self.directory.chmod(0o755)
        _run("mount", "-t", "tmpfs", "-o", f"size={_SMALL_POOL_SIZE}", "tmpfs", str(small))
        _run("ip", "netns", "add", self.netns)
        for command in (
            f"link add {BRIDGE} type bridge",
            f"addr add {GATEWAY_V4}/24 dev {BRIDGE}",
            f"addr add {GATEWAY_V6}/64 dev {BRIDGE} nodad",
            f"link set {BRIDGE} up",
            "link set lo up",
        ):
            _run("ip", "-n", self.netns, *command.split())
        self.libvirtd.start()

    def stop(self) -> None:
        """Take all of it away."""
        self.libvirtd.stop(guests=True)
        for command in (("ip", "netns", "del", self.netns), ("umount", self.small_pool.path)):
            with suppress(subprocess.CalledProcessError):
                _run(*command)
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.libvirtd.run_dir, ignore_errors=True)

    def uri(self, host_type: HostType) -> str:
        """Return the URI of one of its two connections."""
        return self.libvirtd.lxc_uri if host_type is HostType.LXC else self.libvirtd.kvm_uri

    def driver(self, host_type: HostType) -> LibvirtDriver:
        """Make a driver."""
        return LibvirtDriver(host_type, self.uri(host_type))

    @cached_property
    def manifest(self) -> dict:
        """What the micro image is made of."""
        manifest: dict = json.loads((self.images / "manifest.json").read_text())
        return manifest

    def image(self, driver: LibvirtDriver, part: str) -> VolumeRef:
        """Put a part of the micro image on the host."""
        file = self.manifest["files"][part]
        volume = VolumeRef(self.pool.name, f"micro-{part}")
        driver.volume_upload(volume, source=self.images / file["file"], format=VolumeFormat(file["format"]))
        return volume

    def kernel(self, driver: LibvirtDriver) -> KernelSpec:
        """Put micro's kernel on the host."""
        return KernelSpec(
            kernel=self.image(driver, "kernel"),
            initrd=self.image(driver, "initrd"),
            arguments=self.manifest["kernel_arguments"],
        )

    def inside(self, *command: str) -> str:
        """Run a command in the host's network namespace and return its output."""
        return _run("ip", "netns", "exec", self.netns, *command)


def micro_image(scratch: Path) -> Path:
    """Return the folder of the micro image: a prepared one, or one built now."""
    prepared = os.environ.get("INNKEEPER_TEST_IMAGES")
    if prepared:
        return Path(prepared, "micro")
    output = scratch / "micro"
    cache = os.environ.get("INNKEEPER_CACHE", "/var/cache/innkeeper")
    _run(sys.executable, "-m", "hosts.imagebuild", "micro", "--output", str(output), "--cache", cache)
    return output


def make_host() -> RealHost:
    """Start a host with a name nobody else uses; in ``make test`` the run's, which clears away what is left of it."""
    run = os.environ.get("INNKEEPER_TEST_NAME")
    directory = Path(tempfile.mkdtemp(prefix="ik-host-", dir=os.environ.get("INNKEEPER_TEST_STATE", "/var/tmp")))
    host = RealHost(directory=directory, images=micro_image(directory), name=f"{run}-d" if run else f"ikt{os.getpid()}")
    host.start()
    return host


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout
