"""libvirtd gone in the middle of a create: the job ends in error or finishes; nothing is half there in silence."""

import pytest

from lab.client import FINAL
from lab.server import wait_until
from tests.lab.conftest import Lab

TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]


@pytest.mark.parametrize("host_type", TYPES)
def test_a_create_that_loses_its_libvirtd(lab: Lab, order, host_type):
    before = lab.host.contents()
    running = order(host_type, name="bystander")
    server = order(host_type, name="interrupted", wait=False)
    job_id = server.order["job"]["id"]
    wait_until(lambda: lab.admin.get(f"/jobs/{job_id}")["status"] != "queued", "the job begins", poll_s=0.05)
    lab.host.libvirtd.stop(guests=False)
    try:
        wait_until(
            lambda: lab.admin.get(f"/guests/{running.id}")["power_state"] == "unknown",
            "the page says that the host is silent",
            timeout_s=90,
        )
    finally:
        lab.host.libvirtd.start()
    job = lab.admin.job(job_id, timeout_s=240)
    assert job["status"] in FINAL
    guest = server.now()
    if job["status"] == "success":
        assert (guest["lifecycle"], guest["power_state"]) == ("active", "running")
    else:
        assert job["status"] == "error"
        assert guest["lifecycle"] == "error"
        assert guest["status_reason"]
        retried = lab.admin.call("POST", f"/jobs/{job_id}/actions/retry", {})
        if retried.status == 202:
            lab.admin.done(retried.body)
    if server.now()["lifecycle"] == "active":
        server.wait_login()
    # The bystander never noticed.
    wait_until(lambda: running.now()["power_state"] == "running", "the host is seen again", timeout_s=60)
    running.wait_login()
    server.delete()
    running.delete()
    lab.wait_empty(before)
