"""Health: what is said of the panel's own processes, and by whose clock."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from hosts.models import HostConnection
from panel.core import health_checks
from panel.core.models import PanelProcess
from panel.core.processes import Heartbeat, processes_forget
from tests.api.looking_at_health import backup, items, only, process

pytestmark = pytest.mark.django_db
NOW = timezone.now


def test_without_redis_it_says_who_runs_jobs_and_since_when(well, admin_api, monkeypatch):
    monkeypatch.setattr(health_checks, "redis_answers", lambda: False)
    first, second = only(admin_api), only(admin_api)
    assert first["sentence"] == "Redis does not answer: jobs are run by the collector, two at a time."
    assert first["since"] == second["since"] is not None
    monkeypatch.undo()
    assert items(admin_api) == []


@pytest.mark.parametrize(
    ("kind", "severity"), [("worker", "critical"), ("collector", "critical"), ("builder", "warning")]
)
def test_a_kind_of_process_that_nobody_heard_of(well, admin_api, kind, severity):
    PanelProcess.objects.filter(kind=kind).update(seen_at=NOW() - timedelta(minutes=5))
    found = only(admin_api)
    assert (found["code"], found["severity"], found["subject"]) == (f"no_{kind}", severity, kind)
    assert found["since"] is not None
    process(kind)
    assert [one["code"] for one in items(admin_api)] in ([], ["process_vanished"])


def test_what_has_not_been_heard_of_yet_is_starting_for_half_a_minute(well, admin_api):
    PanelProcess.objects.filter(kind="worker").delete()
    PanelProcess.objects.update(started_at=NOW() - timedelta(seconds=5))
    found = only(admin_api)
    assert (found["code"], found["severity"]) == ("starting_worker", "notice")
    assert found["sentence"] == "The panel is starting: its worker has not been heard of yet."
    PanelProcess.objects.filter(kind="collector").update(started_at=NOW() - timedelta(seconds=31))
    assert (only(admin_api)["code"], only(admin_api)["severity"]) == ("no_worker", "critical")


@pytest.mark.parametrize("wrong_by", [timedelta(hours=2), -timedelta(hours=2)], ids=["ahead", "behind"])
def test_the_clock_of_the_web_machine_does_not_matter(well, admin_api, monkeypatch, wrong_by):
    backup()
    for host_type, ago in (("kvm", 5), ("lxc", 300)):
        HostConnection.objects.filter(host_type=host_type).update(last_seen_at=NOW() - timedelta(seconds=ago))
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + wrong_by)
    found = admin_api.get("/health").json()
    assert [one["sentence"] for one in found["items"]] == [f"LXC on host {well.name} has not been seen for 5 minutes."]
    assert abs(datetime.fromisoformat(found["checked_at"]) - right()) < timedelta(minutes=1)
    connections = {one["host_type"]: one for one in admin_api.get(f"/hosts/{well.pk}").json()["connections"]}
    assert {name: one["answers"] for name, one in connections.items()} == {"kvm": True, "lxc": False}


def test_one_of_several_workers_that_vanished_is_told_until_it_is_replaced(well, admin_api):
    gone = process("worker", ago_s=300, machine="m2")
    found = only(admin_api)
    assert (found["code"], found["severity"]) == ("process_vanished", "warning")
    assert found["sentence"] == f"The worker on m2 (process {gone.pid}) has not been heard of any more."
    process("worker", machine="m2", started_at=NOW())
    assert items(admin_api) == []


def test_a_heartbeat_is_one_row_and_goes_when_it_ends():
    beating = Heartbeat()
    beating.beat()
    first = PanelProcess.objects.get()
    assert first.kind == "manage"
    PanelProcess.objects.update(seen_at=NOW() - timedelta(days=1))
    beating.beat()
    assert PanelProcess.objects.get().seen_at > NOW() - timedelta(minutes=1)
    PanelProcess.objects.update(kind="worker", seen_at=NOW() - timedelta(days=8))
    processes_forget()
    assert PanelProcess.objects.count() == 0
