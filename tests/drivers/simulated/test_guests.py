"""What simulated guests do by themselves."""

import time

from hosts.drivers.simulated import SimulatedAdmin, SimulatedDriver
from hosts.drivers.simulated.guest import host_key_fingerprint
from hosts.drivers.types import PowerState, SeedFiles
from tests.drivers.checks import MakeSpec, started, wait_until


def test_a_boot_prints_the_same_host_keys_each_time(driver: SimulatedDriver, make_spec: MakeSpec):
    domain = started(driver, make_spec())
    expected = [
        f"INNKEEPER-HOSTKEY {kind} {host_key_fingerprint(domain, kind)}".encode() for kind in ("ssh-ed25519", "ssh-rsa")
    ]
    assert driver.console_output(domain).splitlines() == [*expected, b"INNKEEPER-READY"]
    driver.domain_destroy(domain)
    driver.domain_start(domain)
    assert driver.console_output(domain).splitlines() == [*expected, b"INNKEEPER-READY"]


def test_a_boot_takes_its_latency(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    admin.set_latency("guest_boot", 1, host=host)
    domain = started(driver, make_spec())
    assert driver.console_output(domain) == b""
    wait_until(lambda: driver.console_output(domain).endswith(b"INNKEEPER-READY\r\n"))


def test_a_guest_powers_itself_off(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    domain = started(driver, make_spec())
    admin.guest_poweroff(host, domain)
    info = driver.domain_info(domain)
    assert (info.state, info.state_reason) == (PowerState.SHUTOFF, "shutdown")


def test_a_guest_crashes_and_starts_again(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_crash(host, domain)
    assert driver.domain_info(domain).state is PowerState.CRASHED
    assert driver.domain_shutdown(domain, timeout_s=1) is True
    driver.domain_start(domain)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_a_guest_whose_disk_is_full_is_paused_until_there_is_room(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_disk_full(host, domain)
    assert (driver.domain_info(domain).state, driver.domain_info(domain).state_reason) == (
        PowerState.PAUSED,
        "disk_full",
    )
    driver.domain_resume(domain)
    assert driver.domain_info(domain).state is PowerState.PAUSED
    admin.guest_disk_full(host, domain, full=False)
    driver.domain_resume(domain)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_a_guest_that_ignores_shutdown_runs_on(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_set_ignores_shutdown(host, domain)
    assert driver.domain_shutdown(domain, timeout_s=0.2) is False
    assert driver.domain_reboot(domain, timeout_s=0.2) is False
    assert driver.domain_info(domain).state is PowerState.RUNNING
    assert admin.dump_host(host).domains[domain].starts == 1


def test_a_slow_guest_goes_off_after_the_caller_gave_up(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.set_latency("guest_shutdown", 2, host=host)
    assert driver.domain_reboot(domain, timeout_s=0.1) is False
    assert driver.domain_shutdown(domain, timeout_s=0.1) is False
    assert driver.domain_info(domain).state is PowerState.RUNNING
    assert driver.domain_shutdown(domain, timeout_s=20) is True
    assert admin.dump_host(host).domains[domain].starts == 1


def test_a_waiting_shutdown_notices_that_the_power_was_cut(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec, in_thread
):
    domain = started(driver, make_spec())
    admin.guest_set_ignores_shutdown(host, domain)
    waiting = in_thread(lambda: driver.domain_shutdown(domain, timeout_s=30))
    time.sleep(0.1)
    driver.domain_destroy(domain)
    assert waiting.result(timeout=5) is True


def test_a_guest_restarts_itself_and_prints(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_print(host, domain, b"\x1b[31mhello\xff")
    admin.guest_reboot(host, domain)
    output = driver.console_output(domain)
    assert output.count(b"INNKEEPER-READY") == 2
    assert b"\x1b[31mhello\xff" in output


def test_the_seed_is_what_the_guest_would_find(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec, seed: SeedFiles
):
    spec = make_spec()
    assert spec.seed is not None
    assert admin.seed_of(host, spec.seed) == seed
    assert admin.calls(host=host, call="seed_write")[0].arguments["seed"] == {"files": sorted(seed.files)}
