"""What a panel of processes holds, asked inside of it, with its own settings."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from hosts.drivers.simulated import SimulatedAdmin
from hosts.models import Host, IPAddress
from lab.panel import LabPanel
from panel.core.models import Job
from panel.core.models.jobs import ACTIVE
from tests.faults.truth import leaks, outcome
from tests.simulated_fleet import HostSight, simulated_sight
from vms.models import Guest


@dataclass(frozen=True)
class SimulatedEyes:
    """Sees the hosts of one simulated server."""

    admin: SimulatedAdmin

    def seen(self, host: Host) -> HostSight:
        return simulated_sight(self.admin, host.name)


class Inside:
    """A process with a panel's own settings that answers questions, one line each; made once, because it starts slowly.

    A simulated server's ``socket`` says what the panel's hosts really have.
    """

    def __init__(self, panel: LabPanel, socket: Path) -> None:
        self._process = subprocess.Popen(
            [panel.python, "manage.py", "shell", "-v", "0", "-c", "from tests.faults.inside import answer; answer()"],
            cwd=Path(__file__).parents[2],
            env={**panel.environment, "INNKEEPER_SIMULATED": str(socket)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._process.communicate()

    def findings(self, *job_ids: str) -> dict[str, Any]:
        """Return how these jobs ended (by id), what leaked, and counts of what there is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job_ids) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def answer() -> None:
    """Answer until nobody asks any more; the other end of ``Inside``."""
    eyes = SimulatedEyes(SimulatedAdmin(os.environ["INNKEEPER_SIMULATED"]))
    for line in sys.stdin:
        connection.close()  # PostgreSQL may have been restarted since
        print(json.dumps(_look(eyes, json.loads(line))), flush=True)  # noqa: T201 - read by ``Inside``


def _look(eyes: SimulatedEyes, job_ids: Sequence[str]) -> dict[str, Any]:
    hosts = list(Host.objects.all())
    guests = Guest.objects.filter(deleted_at__isnull=True)
    return {
        "jobs": {job_id: outcome(Job.objects.get(pk=job_id), eyes) for job_id in job_ids},
        "leaks": {host.name: left for host in hosts if (left := leaks(eyes, host))},
        "guests": sorted(guests.values_list("name", flat=True)),
        "domains": sum(len(eyes.seen(host).domains) for host in hosts),
        "addresses": IPAddress.objects.filter(owner_id__isnull=False, family=4).count(),
        "not final": sorted(Job.objects.filter(status__in=ACTIVE).values_list("action", flat=True)),
        "final": Job.objects.exclude(status__in=ACTIVE).count(),
    }
