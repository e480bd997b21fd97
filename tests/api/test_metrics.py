"""What machines ask: alive, ready, metrics; who may read them, and at what cost."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from panel.core import fleet_metrics, readiness
from panel.core.models import JobStatus
from tests import factories
from tests.client import ApiUser, queries_of
from tests.simulated_fleet import jobs_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Metrics are asked anew in each test."""
    monkeypatch.setattr(fleet_metrics, "_kept", (0.0, []))


def scrape(**more) -> dict[str, dict[tuple, float]]:
    """Return all samples: {name: {labels: value}}."""
    answer = Client().get("/metrics", **more)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    found: dict[str, dict[tuple, float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_metrics_are_for_this_machine_for_staff_and_for_their_own_token(api_of, customer):
    far = {"REMOTE_ADDR": "203.0.113.9"}

    def status(token: str | None = None, **more) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Client().get("/metrics", headers=headers | more.pop("headers", {}), **more).status_code

    assert status(REMOTE_ADDR="127.0.0.1") == 200
    assert status(REMOTE_ADDR="::1") == 200
    assert status(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "203.0.113.9"}) == 403
    assert status(**far) == 403
    assert status(REMOTE_ADDR="") == 403
    assert status(api_of(factories.staff_make("operator")).token, **far) == 200
    assert status(api_of(factories.member_make(customer, "owner")).token, **far) == 403
    assert status("x" * 64, REMOTE_ADDR="127.0.0.1") == 403
    with override_settings(METRICS_TOKEN="for-prometheus", METRICS_LOOPBACK=False):
        assert status("for-prometheus", **far) == 200
        assert status("for-prometheu", **far) == 403
        assert status(REMOTE_ADDR="127.0.0.1") == 403


def test_metrics_tell_of_jobs_hosts_guests_and_calls(one_host, customer, owner_api):
    old = timezone.now() - timedelta(seconds=90)
    stuck = factories.job_make(action="guest.start")
    type(stuck).objects.filter(pk=stuck.pk).update(created_at=old)
    factories.job_make(action="guest.stop", status=JobStatus.ERROR)
    body = {
        "name": "web", "host_type": "kvm", "vcpus": 1, "memory_mib": 256, "disk_gib": 2, "image": "micro",
        "customer": str(customer.pk),
    }  # fmt: skip
    assert ApiUser(factories.token_make(factories.staff_make()).value).post("/guests", body).status_code == 202
    stuck.delete()
    assert [job.status for job in jobs_run()] == ["success"]
    found = scrape()
    kvm = (("host", one_host.name), ("host_type", "kvm"))
    assert found["innkeeper_jobs_failed_last_hour"][(("action", "guest.stop"),)] == 1
    assert found["innkeeper_guests"][(("lifecycle", "active"), ("power_state", "running"))] == 1
    assert kvm not in found.get("innkeeper_host_lag_seconds", {})  # never seen by a collector: no lag is invented
    assert found["innkeeper_up"] == {(("store", "postgresql"),): 1, (("store", "redis"),): 1}
    assert found["innkeeper_job_duration_seconds_count"][(("action", "guest.create"), ("outcome", "success"))] >= 1
    step = (("action", "guest.create"), ("step", "ensure_disk"))
    assert found["innkeeper_job_step_duration_seconds_count"][step] >= 1
    call = (("call", "domain_start"), ("outcome", "ok"), ("process", "manage"))
    assert found["innkeeper_host_call_duration_seconds_count"][call] >= 1
    route = (("method", "POST"), ("route", "/api/v1/guests"), ("status", "202"))
    assert found["innkeeper_http_request_duration_seconds_count"][route] >= 1


def test_the_queue_s_age_is_that_of_the_oldest_job_that_could_run():
    assert scrape()["innkeeper_job_queue_age_seconds"][()] == 0
    now = timezone.now()
    for age_s, fields in ((90, {}), (900, {"run_after": now + timedelta(hours=1)}), (800, {"status": "running"})):
        job = factories.job_make(**fields)
        type(job).objects.filter(pk=job.pk).update(created_at=now - timedelta(seconds=age_s))
    fleet_metrics._kept = (0.0, [])
    assert scrape()["innkeeper_job_queue_age_seconds"][()] == pytest.approx(90, abs=10)


def test_a_scrape_costs_the_same_whatever_there_is_and_nothing_when_repeated(fleet):
    fleet.host()
    few = queries_of(scrape)
    assert queries_of(scrape) == 0
    for _ in range(3):
        fleet.host()
        factories.job_make(status=JobStatus.ERROR)
    fleet_metrics._kept = (0.0, [])
    assert queries_of(scrape) == few


def test_no_label_names_a_guest_or_an_id(one_host, customer):
    factories.job_make(guest_id=customer.pk)
    text = Client().get("/metrics").content.decode()
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", text)
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE innkeeper_")}
    assert len(names) >= 10
    assert not [name for name in names if re.search(r"_(ms|minutes|mib|percent)$", name)]


def test_without_its_database_metrics_say_so(monkeypatch):
    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(fleet_metrics, "_sources", [away])
    assert scrape()["innkeeper_up"][(("store", "postgresql"),)] == 0


def test_ready_means_database_and_tables_and_says_what_is_missing(monkeypatch, client):
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert ready["Cache-Control"].startswith("max-age=0")
    monkeypatch.setattr(readiness, "redis_answers", lambda: False)
    degraded = client.get("/readyz")
    assert degraded.status_code == 200
    assert degraded.json() == {
        "status": "degraded", "checks": {"database": "ok", "migrations": "ok", "redis": "unavailable"},
    }  # fmt: skip
    known = readiness.migrations_known()
    monkeypatch.setattr(readiness, "migrations_known", lambda: known | {("core", "9999_of_tomorrow")})
    pending = client.get("/readyz")
    assert (pending.status_code, pending.json()["status"]) == (503, "migrations_pending")
    assert pending["Retry-After"] == "5"


def test_not_ready_without_a_database(monkeypatch, client):
    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(readiness, "migrations_pending", away)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "database_unavailable")
    assert answer.json()["checks"]["migrations"] == "unknown"
    assert client.get("/healthz").json() == {"status": "ok"}
