"""``/metrics``: who may read it, what is there before anything happened, its types, and that its labels are bounded."""

import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from hosts.models import HostConnection
from panel.core import fleet_metrics
from panel.core.metrics import JOB_SECONDS, STEP_SECONDS, TAKEOVERS
from panel.core.models import Job, JobStatus, PanelProcess
from panel.core.operations import registered
from tests import factories

pytestmark = pytest.mark.django_db
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the database said before is not kept."""
    monkeypatch.setattr(fleet_metrics, "KEPT_S", 0.0)
    monkeypatch.setattr(fleet_metrics, "_kept", (0.0, []))


def status(**headers: str) -> int:
    found: int = Client().get("/metrics", headers=headers).status_code
    return found


def scrape() -> dict[str, Metric]:
    """Return what a caller on this machine gets, by name."""
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    return {metric.name: metric for metric in text_string_to_metric_families(answer.content.decode())}


def value(metrics: dict[str, Metric], name: str, sample: str = "", **labels: str) -> float:
    """Return the one sample with these labels."""
    found = [one.value for one in metrics[name].samples if one.name == (sample or name) and one.labels == labels]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_it_is_for_this_machine_for_staff_and_for_its_token(owner_api, operator_api, settings):
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert (status(), status(**forwarded)) == (200, 403)
    assert status(**forwarded, Authorization=f"Bearer {operator_api.token}") == 200
    assert status(**forwarded, Authorization=f"Bearer {owner_api.token}") == 403
    assert status(Authorization="Bearer wrong") == 403
    settings.METRICS_LOOPBACK = False
    assert status() == 403
    settings.METRICS_TOKEN = "for-prometheus"
    assert status(Authorization="Bearer for-prometheus") == 200


def test_a_fresh_installation_shows_zeros_and_not_nothing():
    found = scrape()
    assert value(found, "innkeeper_job_queue_age_seconds") == 0
    assert value(found, "innkeeper_last_backup_timestamp_seconds") == 0
    assert value(found, "innkeeper_processes", kind="worker") == 0
    http = "innkeeper_http_request_duration_seconds"
    assert value(found, http, f"{http}_count", method="GET", route="/metrics", status="200") >= 0
    assert value(found, "innkeeper_guests", lifecycle="active", power_state="unknown") == 0
    calls = "innkeeper_host_call_duration_seconds"
    for call in ("domain_list", "domain_start", "volume_clone"):
        labels = {"process": "collector", "call": call}
        assert value(found, "innkeeper_host_calls_abandoned", "innkeeper_host_calls_abandoned_total", **labels) >= 0
        for outcome in ("ok", "error", "timeout"):
            count = value(found, calls, f"{calls}_count", outcome=outcome, **labels)
            assert value(found, calls, f"{calls}_bucket", outcome=outcome, le="+Inf", **labels) == count
    refused = "innkeeper_http_requests_refused"
    assert value(found, refused, f"{refused}_total", code="overloaded") >= 0
    for action, operation in registered().items():
        assert value(found, "innkeeper_jobs", action=action, status="queued") == 0
        assert value(found, "innkeeper_jobs_failed_last_hour", action=action) == 0
        takeovers = "innkeeper_job_lease_takeovers"
        assert value(found, takeovers, f"{takeovers}_total", action=action) >= 0
        for name, labels in (
            ("innkeeper_job_duration_seconds", {"outcome": "error"}),
            *(("innkeeper_job_step_duration_seconds", {"step": step.name}) for step in operation.steps),
        ):
            count = value(found, name, f"{name}_count", action=action, **labels)
            assert value(found, name, f"{name}_bucket", action=action, le="+Inf", **labels) == count


def test_which_stores_answer_is_asked_each_time(monkeypatch):
    monkeypatch.setattr(fleet_metrics, "KEPT_S", 60.0)
    assert value(scrape(), "innkeeper_up", store="postgresql") == 1

    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(fleet_metrics, "database_now", away)
    monkeypatch.setattr(fleet_metrics, "redis_answers", lambda: False)
    found = scrape()
    assert [value(found, "innkeeper_up", store=store) for store in ("postgresql", "redis")] == [0, 0]
    assert "innkeeper_guests" not in found


def test_what_was_measured_stands_in_the_place_of_its_zero():
    before = scrape()
    JOB_SECONDS.labels("guest.start", "success").observe(0.4)
    STEP_SECONDS.labels("guest.start", "ensure_started").observe(3)
    TAKEOVERS.labels("guest.start").inc()
    after = scrape()

    def grown(name: str, sample: str, **labels: str) -> float:
        labels["action"] = "guest.start"
        return value(after, name, name + sample, **labels) - value(before, name, name + sample, **labels)

    assert grown("innkeeper_job_duration_seconds", "_count", outcome="success") == 1
    assert grown("innkeeper_job_duration_seconds", "_bucket", outcome="success", le="0.25") == 0
    assert grown("innkeeper_job_duration_seconds", "_bucket", outcome="success", le="0.5") == 1
    assert grown("innkeeper_job_step_duration_seconds", "_sum", step="ensure_started") == 3
    assert grown("innkeeper_job_lease_takeovers", "_total") == 1


def test_each_has_the_type_of_what_it_is(one_host):
    scrape()
    types = {name: metric.type for name, metric in scrape().items()}
    for name in ("http_request", "job", "job_step"):
        assert types[f"innkeeper_{name}_duration_seconds"] == "histogram"
    assert types["innkeeper_job_lease_takeovers"] == "counter"
    for name in ("job_queue_age_seconds", "host_lag_seconds", "jobs", "processes", "up", "guests"):
        assert types[f"innkeeper_{name}"] == "gauge"


def test_it_says_what_the_database_knows_by_the_databases_clock(one_host, monkeypatch):
    now, real = timezone.now(), timezone.now
    waiting = factories.job_make(action="guest.start")
    Job.objects.filter(pk=waiting.pk).update(created_at=now - timedelta(seconds=90))
    factories.job_make(action="guest.stop", status=JobStatus.ERROR)
    PanelProcess.objects.create(id=waiting.pk, kind="worker", machine="m", pid=1, version="1", seen_at=now)
    HostConnection.objects.filter(host_type="kvm").update(last_seen_at=now - timedelta(seconds=20))
    HostConnection.objects.filter(host_type="lxc").update(last_seen_at=None)
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(hours=2))
    found = scrape()
    assert 90 <= value(found, "innkeeper_job_queue_age_seconds") < 120
    assert 20 <= value(found, "innkeeper_host_lag_seconds", host=one_host.name, host_type="kvm") < 50
    assert value(found, "innkeeper_host_lag_seconds", host=one_host.name, host_type="lxc") == float("inf")
    assert value(found, "innkeeper_jobs", action="guest.start", status="queued") == 1
    assert value(found, "innkeeper_jobs_failed_last_hour", action="guest.stop") == 1
    assert value(found, "innkeeper_processes", kind="worker") == 1


def test_labels_are_no_ids(operator_api, one_host):
    for path in (f"/guests/{one_host.pk}", f"/hosts/{one_host.pk}", "/no-such-thing", f"/jobs/{one_host.pk}"):
        operator_api.get(path)
    labels = {text for metric in scrape().values() for one in metric.samples for text in one.labels.values()}
    assert "/api/v1/hosts/<uuid:host_id>" in labels
    assert [text for text in labels if ID.search(text)] == []
