"""``GET /health``: what is wrong with the panel and the fleet, for staff."""

from typing import Any

from django.db.models import Max
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.query import known_params
from panel.core.api.views import PanelView
from panel.core.clock import database_now
from panel.core.health import Finding, Severity, findings
from panel.core.models import PanelBackup, PanelProcess
from panel.core.permissions import Permission
from panel.core.processes import KINDS, processes_alive

SEVERITIES = [(one.name.lower(), one.name.capitalize()) for one in Severity]
OVERALL = [("ok", "Ok"), *SEVERITIES]


class FindingOut(serializers.Serializer[Any]):
    """One thing that is wrong."""

    severity = serializers.ChoiceField(
        SEVERITIES,
        help_text="`critical`: does not work; `warning`: will not, or works badly; `notice`: worth knowing.",
    )
    code = serializers.CharField(help_text="What it is, for programs; stable.")
    subject = serializers.CharField(allow_blank=True, help_text="What it is about: a host, a pool, an action.")
    since = serializers.DateTimeField(allow_null=True, help_text="When it began; null: not known.")
    sentence = serializers.CharField()
    hint = serializers.CharField(help_text="What it means and what to do.")
    link = serializers.CharField(allow_blank=True, help_text="The panel's page where that is done, as a path.")


class ProcessOut(serializers.Serializer[Any]):
    """A process of the panel that lives."""

    kind = serializers.ChoiceField(KINDS)
    machine = serializers.CharField()
    pid = serializers.IntegerField()
    version = serializers.CharField()
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()


class HealthOut(serializers.Serializer[Any]):
    """The health of the panel and the fleet."""

    status = serializers.ChoiceField(OVERALL, help_text="The worst severity of the items; `ok` without any.")
    checked_at = serializers.DateTimeField()
    items = FindingOut(many=True, help_text="Worst and oldest first.")
    processes = ProcessOut(many=True)
    last_backup_at = serializers.DateTimeField(allow_null=True)


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "severity": found.severity.name.lower(),
        "code": found.code,
        "subject": found.subject,
        "since": found.since,
        "sentence": found.sentence,
        "hint": found.hint,
        "link": found.link,
    }


def _process(row: PanelProcess) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("kind", "machine", "pid", "version", "started_at", "seen_at")}


class HealthView(PanelView):
    """``/health``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(operation_id="health", summary="Health of the panel and the fleet", responses=HealthOut)
    def get(self, request: Request) -> Response:
        """What is wrong, in sentences, worst first; which processes live; when the last backup was made. Staff only.

        Read from the database: no host is asked. For monitoring see `/metrics`, `/readyz` and `/healthz`.
        """
        known_params(request)
        now = database_now()
        found = findings(now)
        body = {
            "status": found[0].severity.name.lower() if found else "ok",
            "checked_at": now,
            "items": [_finding(one) for one in found],
            "processes": [_process(row) for row in processes_alive().order_by("kind", "machine", "started_at")],
            "last_backup_at": PanelBackup.objects.aggregate(at=Max("created_at"))["at"],
        }
        return Response(body)
