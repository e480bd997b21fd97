"""What somebody did on a host behind the panel's back: a job says what happened, and all else of the guest works."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hosts.drivers.types import HostType
from panel.core.models import Customer, Job
from panel.core.retry import job_retry
from panel.core.units import GIB
from tests.drivers.real_host import RealHost
from tests.faults.real_fleet import RealDeeds, RealFleet
from tests.faults.truth import leaks
from tests.services.comparing import look_once
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.actions import guest_action_submit
from vms.services.reconcile.actions import difference_repair
from vms.states import GuestAction

KVM, LXC = pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)
SMALL_DISK_GIB = 6
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.parametrize("host_type", [KVM, LXC])]


@pytest.fixture
def deeds(
    real_host: RealHost, host_type: str, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RealDeeds]:
    fleet = RealFleet(real_host, monkeypatch)
    yield RealDeeds(fleet, customer, monkeypatch, host_type)
    fleet.clear()


def act(deeds: RealDeeds, guest: Guest, action: GuestAction) -> Job:
    guest_action_submit(actor=deeds.staff, guest=guest, action=action)
    (job,) = jobs_run()
    guest.refresh_from_db()
    return job


def inside(real: RealHost, *command: str, check: bool = True) -> None:
    """Run a command that sees the mounts that libvirtd sees."""
    pid = (real.libvirtd.run_dir / "libvirtd.pid").read_text().strip()
    subprocess.run(["nsenter", f"--target={pid}", "--mount", *command], check=check, capture_output=True)


@contextmanager
def read_only(real: RealHost, folder: Path) -> Iterator[None]:
    """Make a folder read-only for libvirtd, as a file system with errors becomes."""
    inside(real, "mount", "--bind", str(folder), str(folder))
    try:
        inside(real, "mount", "-o", "remount,bind,ro", str(folder))
        yield
    finally:
        inside(real, "umount", "--lazy", str(folder))


@pytest.fixture
def small_disk(real_host: RealHost) -> Iterator[Path]:
    """Have a file system of its own for the host's pool. Asked for before ``deeds``."""
    folder, disk = Path(real_host.pool.path), real_host.directory / "small-disk"
    folder.mkdir(exist_ok=True)
    with disk.open("wb") as file:
        file.truncate(SMALL_DISK_GIB * GIB)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(disk)], check=True)
    inside(real_host, "mount", "-o", "loop", str(disk), str(folder))
    yield folder
    inside(real_host, "umount", "--lazy", str(folder))
    disk.unlink()


def test_a_disk_that_is_full_fails_what_needs_room_and_nothing_else(small_disk, deeds, host_type):
    guest = deeds.on()
    filler = small_disk / "somebody-elses-file"
    inside(deeds.real.real, "fallocate", "--length", f"{SMALL_DISK_GIB}G", str(filler), check=False)  # all there is
    if host_type == "lxc":  # its file is thin: where not one block is left, its file system may not be mounted any more
        inside(deeds.real.real, "truncate", "--size=-8M", str(filler))
    refused = deeds.ask("guest.create")
    jobs_run()
    refused.refresh_from_db()
    assert (refused.status, refused.error_code) == ("error", "storage_full"), refused.error_detail
    assert Guest.objects.get(lifecycle="error").error_message == refused.error_message
    assert act(deeds, guest, GuestAction.STOP).status == "success"
    started = act(deeds, guest, GuestAction.START)
    assert (started.status, guest.power_state) == ("success", "running"), started.error_detail

    inside(deeds.real.real, "rm", str(filler))
    job_retry(actor=deeds.staff, job=refused)
    assert {job.status for job in jobs_run()} == {"success"}
    assert Guest.objects.filter(lifecycle="active", power_state="running").count() == 2
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def test_a_pool_gone_read_only_fails_what_writes_and_nothing_else(deeds, host_type):
    guest = deeds.on()
    with read_only(deeds.real.real, Path(deeds.host.pools.get().path)):
        refused = deeds.ask("guest.create")
        jobs_run()
        refused.refresh_from_db()
        assert (refused.status, refused.error_code) == ("error", "storage_read_only"), refused.error_detail
        assert refused.error_message == "The host's storage can only be read."
        assert act(deeds, guest, GuestAction.STOP).status == "success"
        assert guest.power_state == "shutoff"
    failed = Guest.objects.get(lifecycle="error")
    assert failed.error_message == refused.error_message
    started = act(deeds, guest, GuestAction.START)
    assert (started.status, guest.power_state) == ("success", "running"), started.error_detail
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def test_a_corrupt_seed_is_written_anew_and_hinders_nothing(deeds):
    guest = deeds.off()
    (seed,) = Path(deeds.host.pools.get().path).glob(f"guest-{guest.pk}-seed*")
    size = seed.stat().st_size
    seed.write_bytes(b"\xff" * size)
    reset = deeds.password_reset(guest)
    jobs_run()
    reset.refresh_from_db()
    assert reset.status == "success", reset.error_detail
    assert seed.read_bytes()[:4096] != b"\xff" * 4096
    if guest.power_state == "shutoff":
        assert act(deeds, guest, GuestAction.START).status == "success"
    assert act(deeds, guest, GuestAction.STOP).status == "success"
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def test_a_definition_changed_by_hand_is_put_right_at_the_next_start(deeds, host_type):
    guest = deeds.off()
    changed_by_hand(deeds, guest)
    assert memory_kib(deeds, guest) == 65536
    assert act(deeds, guest, GuestAction.START).status == "success"
    assert memory_kib(deeds, guest) == guest.memory_mib * 1024
    changed_by_hand(deeds, guest)  # while it runs: what is written for its next start
    assert act(deeds, guest, GuestAction.STOP).status == "success"
    assert act(deeds, guest, GuestAction.START).status == "success"
    assert memory_kib(deeds, guest) == guest.memory_mib * 1024
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def test_a_host_whose_libvirt_forgot_all_its_guests_is_told_and_they_are_made_again(deeds, host_type):
    guest = deeds.on()
    assert look_once(deeds.host) == []
    conn, running = domain(deeds, guest)
    running.destroy()
    conn.close()
    forgets_everything(deeds)
    for state in ("suspected", "suspected", "open"):
        assert look_once(deeds.host) == [
            ("guest-without-domain", guest.name, state),
            ("host-lost-guests", deeds.host.name, "open"),
        ]
    guest.refresh_from_db()
    assert (guest.lifecycle, guest.power_state) == ("active", "unknown")
    row = Difference.objects.get(kind="guest-without-domain")
    job = difference_repair(actor=deeds.staff, difference=row).job
    jobs_run()
    assert job is not None
    job.refresh_from_db()
    assert job.status == "success", job.error_detail
    assert look_once(deeds.host) == []
    guest.refresh_from_db()
    assert guest.power_state == "running"
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def test_a_guest_that_runs_on_without_its_definition_is_told_and_gets_one(deeds, host_type):
    guest = deeds.on()
    forgets_everything(deeds)
    assert look_once(deeds.host) == [("configuration-changed", guest.name, "open")]
    row = Difference.objects.get(state="open")
    assert (row.severity, row.found) == ("medium", {"persistent": False})
    difference_repair(actor=deeds.staff, difference=row)
    assert [job.status for job in jobs_run()] == ["success"]
    assert look_once(deeds.host) == []
    conn, now = domain(deeds, guest)
    assert (now.isActive(), now.isPersistent()) == (1, 1)
    conn.close()
    deeds.away()
    assert leaks(deeds.real, deeds.host) == []


def forgets_everything(deeds: RealDeeds) -> None:
    """Empty /etc/libvirt below a libvirtd that is not running."""
    libvirtd = deeds.real.real.libvirtd
    libvirtd.stop(guests=False)
    for kind in ("qemu", "lxc"):
        for path in (libvirtd.directory / "etc" / kind).glob("*.xml"):
            path.unlink()
    libvirtd.start()


def domain(deeds: RealDeeds, guest: Guest) -> tuple[Any, Any]:
    conn = libvirt.open(deeds.real.real.uri(HostType(deeds.host_type)))
    return conn, conn.lookupByUUIDString(str(guest.pk))


def changed_by_hand(deeds: RealDeeds, guest: Guest) -> None:
    """Give it another size, as ``virsh edit`` does."""
    conn, found = domain(deeds, guest)
    text = found.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    right = str(guest.memory_mib * 1024)
    conn.defineXML(text.replace(f">{right}</memory>", ">65536</memory>").replace(f">{right}</c", ">65536</c"))
    conn.close()


def memory_kib(deeds: RealDeeds, guest: Guest) -> int:
    """Return what its next start gives it."""
    conn, found = domain(deeds, guest)
    text = found.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    conn.close()
    return int(text.split("</memory>")[0].rsplit(">", 1)[1])
