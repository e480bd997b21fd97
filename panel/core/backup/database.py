"""The database in a backup: PostgreSQL's own dump, and its script carried out in one transaction of ours."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.db import connection

from panel.core.backup.archive import CHUNK_BYTES
from panel.core.backup.errors import BackupError

_INSTALLED = Path("/usr/lib/postgresql")
# Sessions end with a restore; what is cached and who runs is of that moment only. The finest samples are of one day and
# by far the most: the coarser ones, which are kept for long, are in.
LEFT_OUT = ("django_session", "core_cache", "core_panelprocess", "usage_*_15s*")
_OURS = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {} AND NOT EXISTS
  (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'public' AND NOT EXISTS
  (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""


@contextmanager
def dump_stream() -> Iterator[IO[bytes]]:
    """Run pg_dump (custom format) and give its output; raises BackupError at the end when it failed."""
    words = [f"--exclude-table-data={table}" for table in LEFT_OUT]
    command = [_program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", "--no-comments", *words]
    with (
        _complaints() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=_environment()) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        if process.wait():
            raise BackupError(f"The database could not be dumped: {_last(said)}")


def is_empty() -> bool:
    """True when the database has no table."""
    with connection.cursor() as cursor:
        cursor.execute(_OURS.format("c.relkind <> 'S'"))
        return cursor.fetchone() is None


def clear() -> None:
    """Drop all tables, sequences and functions that do not belong to an extension; in the caller's transaction."""
    with connection.cursor() as cursor:
        for condition, kind in (("c.relkind IN ('v', 'm')", "VIEW"), ("c.relkind IN ('r', 'p')", "TABLE")):
            cursor.execute(_OURS.format(condition))
            if names := [name for (name,) in cursor.fetchall()]:
                cursor.execute(f"DROP {kind} IF EXISTS {', '.join(names)} CASCADE")
        cursor.execute(_OURS.format("c.relkind = 'S'"))
        if names := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"DROP SEQUENCE IF EXISTS {', '.join(names)} CASCADE")
        cursor.execute(_FUNCTIONS)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE")


def load(dump: IO[bytes]) -> None:
    """Carry a dump out in the caller's transaction. Raises BackupError or a database error."""
    command = [_program("pg_restore"), "--file=-", "--no-owner", "--no-privileges", "--no-comments"]
    with (
        _complaints() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        feeder = threading.Thread(target=_feed, args=(dump, process.stdin), daemon=True)
        feeder.start()
        try:
            _Script(process.stdout).run()
        except BaseException:
            process.kill()
            raise
        finally:
            feeder.join(timeout=30)
        if process.wait():
            raise BackupError(f"The dump could not be read: {_last(said)}")


class _Script:
    """pg_restore's script: statements, and rows between ``COPY … FROM stdin;`` and ``\\.``."""

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines = lines
        self._copying = False

    def run(self) -> None:
        """Carry it out on this thread's connection."""
        raw = connection.connection.cursor()  # below Django, which would look for parameters in the text
        text: list[bytes] = []
        for line in self._lines:
            if line.startswith((b"\\restrict ", b"\\unrestrict ")):  # of psql's, against hostile dumps
                continue
            if line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
                self._execute(raw, text)
                self._copying = True
                raw.copy_expert(line.decode(), self)
            else:
                text.append(line)
        self._execute(raw, text)
        raw.execute("SELECT pg_catalog.set_config('search_path', 'public', false)")
        raw.close()

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return rows of the table at hand; psycopg2 asks for them."""
        found: list[bytes] = []
        length = 0
        while self._copying and length < size:
            line = self._lines.readline()
            if line in (b"\\.\n", b""):
                self._copying = False
            else:
                found.append(line)
                length += len(line)
        return b"".join(found)

    @staticmethod
    def _execute(raw: object, text: list[bytes]) -> None:
        if any(line.strip() and not line.startswith(b"--") for line in text):
            raw.execute(b"".join(text).decode())  # type: ignore[attr-defined]
        text.clear()


def _feed(source: IO[bytes], target: IO[bytes]) -> None:
    try:
        with target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
    except BrokenPipeError:
        return  # pg_restore has ended; its own words say why


def _complaints() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _last(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave no reason"


def _environment() -> dict[str, str]:
    """Return the connection as libpq reads it: a password does not belong on a command line."""
    wanted = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    given = {variable: str(wanted[name]) for variable, name in names.items() if wanted[name]}
    return {**os.environ, **given, "PGAPPNAME": "innkeeper-backup"}


def _program(name: str) -> str:
    """Return the newest of a program's installed versions: an older one refuses a newer server."""
    found = [path for path in _INSTALLED.glob(f"*/bin/{name}") if path.parts[-3].isdigit()]
    if found:
        return str(max(found, key=lambda path: int(path.parts[-3])))
    if given := shutil.which(name):
        return given
    raise BackupError(f"{name} is not installed: install the package postgresql-client.")
