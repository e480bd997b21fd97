"""One request is followed by its id through the logs of all processes; no secret is in them; metrics add up."""

import http.client
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lab.client import Answer
from lab.processes import free_port
from lab.server import wait_until
from tests.faults.conftest import HOST, Installation, order_body
from tests.faults.test_services_down import stopped

SECRETS = {"user_data": "#cloud-config\n# swordfish-user-data\n", "root_password": "swordfish-Password-1"}


def lines(installation: Installation) -> list[dict[str, Any]]:
    """Return every line that every process of the panel has logged; each must be JSON."""
    found = []
    for log in sorted(installation.panel.logs.glob("*.log")):
        for line in log.read_text().splitlines():
            found.append({"file": log.stem.rstrip("12"), **json.loads(line)})
    return found


def followed(installation: Installation, request_id: str) -> list[dict[str, Any]]:
    return [line for line in lines(installation) if line.get("request_id") == request_id]


def scrape(installation: Installation, *, port: int | None = None) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port or installation.panel.port, timeout=30)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


@pytest.fixture(scope="module")
def ordered(installation: Installation) -> dict[str, Any]:
    """An order with secrets in it, carried out."""
    size = {"vcpus": 1, "memory_mib": 256, "disk_gib": 1}
    body = {"name": "followed", "host_type": "kvm", "image": "micro", **SECRETS, **size}
    answer = installation.admin.call("POST", "/guests", body, headers={"X-Request-ID": "follow-me-0001"})
    assert answer.status == 202, answer
    assert answer.headers["x-request-id"] == "follow-me-0001"
    accepted: dict[str, Any] = answer.body
    installation.admin.done(accepted, timeout_s=60)
    return accepted


def test_a_request_is_followed_from_post_to_the_end_of_its_job(installation, ordered):
    job_id = ordered["job"]["id"]
    mine = followed(installation, "follow-me-0001")
    web = [line for line in mine if line["process"] == "web"]
    assert [line["event"] for line in web] == ["job accepted", "request answered"]
    assert web[0]["job_id"] == job_id
    assert (web[1]["route"], web[1]["status"]) == ("/api/v1/guests", 202)
    worker = [line for line in mine if line["process"] == "worker" and line.get("job_id") == job_id]
    events = [line["event"] for line in worker]
    assert events[0] == "job begun"
    assert "job ended" in events
    assert {line["action"] for line in worker} == {"guest.create"}
    host_id = installation.admin.get("/hosts")["results"][0]["id"]
    assert {line["host_id"] for line in worker} == {host_id}
    calls = [line["call"] for line in worker if line["event"] == "host call"]
    assert calls.index("domain_define") < calls.index("domain_start")
    steps = [line["step"] for line in worker if line["event"] == "step done"]
    assert steps[-1] == "ensure_started"
    assert worker[-1]["attempt"].isdigit()


def test_without_redis_the_collector_s_lines_carry_the_same_id(installation, ordered):
    with stopped(installation.panel.redis):
        path = f"/guests/{ordered['guest']['id']}/actions/reboot"
        answer = installation.admin.call("POST", path, {}, headers={"X-Request-ID": "follow-me-0002"})
        assert answer.status == 202, answer
        installation.admin.done(answer.body, timeout_s=90)
        ready = http.client.HTTPConnection("127.0.0.1", installation.panel.port, timeout=30)
        ready.request("GET", "/readyz")
        response = ready.getresponse()
        assert (response.status, json.loads(response.read())["status"]) == (200, "degraded")
    mine = followed(installation, "follow-me-0002")
    assert {"web", "collector"} <= {line["process"] for line in mine}
    assert "job ended" in [line["event"] for line in mine if line["process"] == "collector"]


def test_every_line_of_every_process_is_json_and_names_its_process(installation, ordered):
    found = lines(installation)
    assert {line["file"] for line in found} >= {"web", "worker", "builder", "collector"}
    assert [line for line in found if line["file"] != line["process"]] == []
    assert {"uvicorn.error", "celery.worker.strategy"} <= {line["logger"] for line in found}


def test_what_celery_says_of_a_child_that_was_killed_is_json_too(installation, ordered):
    worker = installation.panel.processes["worker2"].pid
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)

    def said() -> list[str]:
        return [line["event"] for line in lines(installation) if line["logger"] == "multiprocessing"]

    wait_until(lambda: bool(said()), "the pool says that a child was killed", timeout_s=30)
    assert [f"pid:{children[0]}" in one and "SIGKILL" in one for one in said()] == [True]


def test_no_secret_is_in_any_log(installation, ordered):
    text = "".join(log.read_text() for log in installation.panel.logs.glob("*.log"))
    assert "swordfish" not in text
    assert installation.admin.token not in text
    assert installation.panel.admin_password not in text
    assert "$6$" not in text
    for secret in installation.panel._secrets.values():
        assert secret not in text


def test_metrics_are_of_all_processes(installation, ordered):
    text = scrape(installation)
    assert 'innkeeper_job_duration_seconds_count{action="guest.create",outcome="success"}' in text
    assert 'innkeeper_host_call_duration_seconds_count{call="domain_start",outcome="ok",process="worker"}' in text
    assert 'innkeeper_http_request_duration_seconds_count{method="POST",route="/api/v1/guests",status="202"}' in text
    assert 'innkeeper_up{store="postgresql"} 1.0' in text


def test_each_web_process_answers_for_all(installation, ordered):
    port = free_port()
    installation.panel.start_web(second_port=port)

    def of_jobs(text: str) -> set[str]:
        measured = ("innkeeper_job_duration", "innkeeper_job_step_duration", "innkeeper_job_lease_takeovers")
        return {line for line in text.splitlines() if line.startswith(measured)}

    first, second = scrape(installation), scrape(installation, port=port)
    installation.panel.processes.pop("web2").stop()
    done = 'innkeeper_job_duration_seconds_count{action="guest.create",outcome="success"} 1.0'
    assert done in of_jobs(first)
    assert of_jobs(first) == of_jobs(second)


def test_processes_say_that_they_live(installation, ordered):
    def living() -> set[str]:
        found = {line for line in scrape(installation).splitlines() if line.startswith("innkeeper_processes{")}
        return {line.split('"')[1] + line.split("}")[1] for line in found}

    wanted = {"web 1.0", "worker 2.0", "builder 1.0", "collector 2.0"}
    wait_until(lambda: living() == wanted, f"all processes to be seen, not {living()}", timeout_s=30)


def test_a_restore_to_yesterday_destroys_nothing_on_the_hosts(installation, ordered, tmp_path):
    """With everything running: what was made since then runs on, what was deleted since then is known, and unknown."""
    panel, admin, kept = installation.panel, installation.admin, ordered["guest"]["id"]
    gone = installation.order("deleted-today")["guest"]["id"]
    wait_until(lambda: admin.get(f"/guests/{gone}")["lifecycle"] == "active", "the second server", timeout_s=60)
    file = str(tmp_path / "yesterday.backup")
    panel.manage("backup", file)
    today = installation.order("made-today")
    admin.done(today, timeout_s=60)
    admin.done(admin.delete(f"/guests/{gone}"), timeout_s=60)
    asked = len(installation.host.calls(host=HOST))
    said = panel.manage("restore", file, "--replace")
    assert "Nothing on the hosts was changed" in said

    def seen(guest_id: str) -> str:
        answer = admin.call("GET", f"/guests/{guest_id}")
        return str(answer.body.get("power_state", answer.status))

    wait_until(lambda: seen(kept) == "running", "the collector to look again", timeout_s=60)
    assert (seen(gone), admin.get(f"/guests/{gone}")["lifecycle"]) == ("unknown", "active")
    assert seen(today["guest"]["id"]) == "404"
    domains = installation.host.dump_host(HOST).domains
    running = {str(pk): str(domain.state) for pk, domain in domains.items()}
    assert running[kept] == running[today["guest"]["id"]] == "running"
    assert gone not in running
    changing = ("domain_destroy", "domain_undefine", "volume_delete", "domain_shutdown", "domain_define")
    since = installation.host.calls(host=HOST)[asked:]
    assert [call.call for call in since if call.call in changing] == []
    orders: list[Answer] = []

    def taken() -> bool:
        orders.append(admin.call("POST", "/guests", order_body("after-the-restore")))
        return orders[-1].status == 202

    wait_until(taken, "orders are taken when the host was compared", timeout_s=60)
    assert {(one.status, one.body["code"]) for one in orders[:-1]} <= {(503, "not_ready")}
    new, made_today = ({one["address"] for one in each["guest"]["addresses"]} for each in (orders[-1].body, today))
    assert new & made_today == set()
    admin.done(orders[-1].body, timeout_s=60)


def test_how_each_process_ends_is_json_too(installation, ordered):
    """The last test here: afterwards nothing runs any more."""
    for process in installation.panel.processes.values():
        process.send(signal.SIGTERM)
    for process in installation.panel.processes.values():
        process.stop(timeout_s=10)
    installation.panel.processes.clear()
    ends = [line for line in lines(installation) if "Warm shutdown" in line["event"]]
    said = {(line["file"], line["process"], line["pid"]) for line in ends}  # one that was told twice says it twice
    assert sorted(one[:2] for one in said) == [("builder", "builder"), *[("worker", "worker")] * 2]
