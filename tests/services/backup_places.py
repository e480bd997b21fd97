"""Installations for tests of backups: a database and a state folder of their own, and the panel's commands on them."""

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from django.conf import settings
from django.db import connection
from psycopg2 import sql

from tests.webserver import database_url

ROOT = Path(__file__).parents[2]
PASSPHRASE = "correct horse battery staple"
SECRETS = ("django_key", "token_pepper", "key_encryption_key")
# What stands in the database when the backup is made: people, a token, a guest, and jobs in every state.
FILL = """
import json
from datetime import timedelta
from django.utils import timezone
from django.contrib.sessions.backends.db import SessionStore
from panel.core.models import HostSlot, IdempotencyRecord, JobUndo
from panel.core.people.first_admin import first_admin_ensure
from hosts.models import Host, Image, StoragePool
from vms.models import Guest
from tests import factories
login = first_admin_ensure()
admin = factories.User.objects.get()
token = factories.token_make(admin)
customer = factories.customer_make(name="Northwind", used_guests=2)
host = Host.objects.create(name="kvm1", state="active", cpus=8, limit_vcpus=32, limit_memory_mib=65536)
pool = StoragePool.objects.create(host=host, name="pool", path="/pool", limit_gib=100)
image = Image.objects.create(slug="micro", name="Micro", os="micro", boot="kernel", host_types=["kvm"])
def guest(name, **more):
    return Guest.objects.create(name=name, hostname=name, customer=customer, host=host, pool=pool, host_type="kvm",
        vcpus=1, memory_mib=256, disk_gib=1, image=image, **more)
running = guest("web", lifecycle="active", power_state="running", observed_at=timezone.now())
doomed = guest("old", lifecycle="active", power_state="running")
coming = guest("new", lifecycle="provisioning")
lease = {"lease_until": timezone.now() + timedelta(hours=1), "attempt": 1, "worker": "w"}
deleting = factories.job_make(guest_id=doomed.pk, action="guest.delete", status="running", host_id=host.pk, **lease)
JobUndo.objects.create(job=deleting, step="ensure_stopped", inverse="undefine", before={})
HostSlot.objects.create(host_id=host.pk, kind="*", number=0, job=deleting)
creating = factories.job_make(guest_id=coming.pk, action="guest.create", status="queued")
parent = factories.job_make(action="guest.bulk", status="running")
factories.job_make(action="guest.start", status="queued", parent=parent, guest_id=running.pk)
factories.job_make(action="guest.stop", status="success")
IdempotencyRecord.objects.create(client=token.token.client, key="k", request_hash="h", status_code=202, body={"a": 1})
SessionStore().save(must_create=True)
print(json.dumps({"password": login.password, "token": token.value, "running": str(running.pk)}))
"""
LOOK = """
import json
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from panel.core.models import *
from panel.core.models.jobs import ACTIVE
from vms.models import Guest
given = json.loads({given!r})
me = Client().get("/api/v1/me", headers={{"Authorization": "Bearer " + given["token"]}})
user = User.objects.get(email="admin@localhost")
def refused(statement):
    from django.db import transaction, DatabaseError
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        return True
    return False
before = User.objects.values_list("version", flat=True).get(pk=user.pk)
User.objects.filter(pk=user.pk).update(name="Changed")
print(json.dumps({{
    "me": me.status_code,
    "password": user.check_password(given["password"]),
    "jobs": sorted(Job.objects.values_list("action", "status", "error_code")),
    "active": Job.objects.filter(status__in=ACTIVE).count(),
    "attempt": Job.objects.get(action="guest.delete").attempt,
    "held": JobResource.objects.exclude(slot=None).count(),
    "undo": JobUndo.objects.count(),
    "slots": HostSlot.objects.exclude(job=None).count(),
    "guests": sorted(Guest.objects.values_list("name", "lifecycle", "power_state")),
    "answers": IdempotencyRecord.objects.count(),
    "sessions": Session.objects.count(),
    "backups": PanelBackup.objects.count(),
    "trail": sorted(set(AuditEntry.objects.filter(action__startswith="panel.").values_list("action", flat=True))),
    "trail_kept": refused("DELETE FROM core_auditentry"),
    "versions_rise": User.objects.values_list("version", flat=True).get(pk=user.pk) == before + 1,
    "ready": Client().get("/readyz").status_code,
}}))
"""


@dataclass
class Place:
    """An installation's database and state folder."""

    state: Path
    name: str

    def environment(self) -> dict[str, str]:
        url = database_url().rsplit("/", 1)[0]
        return {
            **{key: value for key, value in os.environ.items() if "SECRET" not in key},
            "DJANGO_SETTINGS_MODULE": "panel.settings.production",
            "DATABASE_URL": f"{url}/{self.name}",
            "REDIS_URL": settings.REDIS_URL,
            "INNKEEPER_STATE": str(self.state),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ALLOWED_HOSTS": "testserver",
        }

    def run(self, *words: str, ok: bool = True, **variables: str) -> str:
        """Run a command of ``manage.py``; return what it said, on standard error when it was to fail."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, env=self.environment() | variables, cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode == 0) == ok, (words, done.stdout[-1500:], done.stderr[-3000:])
        return done.stdout if ok else done.stderr.strip().splitlines()[-1]

    def tables(self) -> set[str]:
        """The names of its tables."""
        with _connected(self.name) as database, database.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {name for (name,) in cursor.fetchall()}

    def query(self, statement: str) -> object:
        """Run one statement; return the first value it gives."""
        with _connected(self.name) as database, database.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    def secrets(self) -> list[str]:
        """What its files of secrets hold."""
        return [(self.state / "secrets" / name).read_text().strip() for name in SECRETS]


def _connected(name: str):
    wanted = connection.settings_dict
    return psycopg2.connect(
        host=wanted["HOST"], port=wanted["PORT"] or None, user=wanted["USER"], password=wanted["PASSWORD"], dbname=name
    )


def _server(statement: str, name: str) -> None:
    database = _connected("postgres")
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    database.close()


class Places:
    """Makes empty installations; their databases are dropped at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Place] = []

    def make(self, *, secrets: bool = True) -> Place:
        """Make one with an empty database and secrets of its own."""
        place = Place(self._folder / uuid.uuid4().hex[:8], f"backup_{uuid.uuid4().hex[:12]}")
        folder = place.state / "secrets"
        folder.mkdir(parents=True)
        for name in SECRETS:
            (folder / name).write_text(uuid.uuid4().hex * 2 + "\n")
        _server("CREATE DATABASE {} TEMPLATE template0", place.name)
        self._made.append(place)
        return place

    def close(self) -> None:
        for place in self._made:
            _server("DROP DATABASE IF EXISTS {} WITH (FORCE)", place.name)
