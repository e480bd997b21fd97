"""Restoring a backup: everything that can be wrong is looked for first, then one transaction does it all."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from panel.core.actors import SYSTEM
from panel.core.audit import audit_record
from panel.core.backup import database, sealing
from panel.core.backup.aftermath import put_right
from panel.core.backup.archive import DATABASE, SECRETS, Archive
from panel.core.backup.errors import BackupError
from panel.core.models import PanelBackup
from panel.core.readiness import migrations_known

LOCK_WAIT = "30s"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    made_at: datetime
    jobs_ended: int
    migrated: int
    secrets_folder: Path | None  # where secrets were written; None: those that are in use are the backup's


def restore(
    path: Path, *, passphrase: str | None, replace: bool, keep_secrets: bool = False, secrets_folder: Path | None = None
) -> Restored:
    """Put a backup into this installation's database, and its secrets where they are read from.

    Args:
        replace: also into a database that is not empty; what is in it is lost.
        keep_secrets: also when this installation has other secrets and stays with them.
        secrets_folder: where to write the secrets, instead of STATE/secrets.

    Raises:
        BackupError: one sentence; then database and secrets are as they were.
    """
    with closing(Archive(path)) as archive:
        _check_version(archive)
        secrets = _secrets(archive, passphrase, keep=keep_secrets)
        if not database.is_empty() and not replace:
            raise BackupError(
                "The database is not empty. Nothing was changed. Make a backup of it if it matters, then restore with "
                "--replace: that drops everything in it."
            )
        with _files(secrets, secrets_folder) as files:
            done = _in_one_transaction(archive)
            if files is not None:
                files.settle()
        folder = (secrets_folder or _usual_folder()) if files is not None else None
        return Restored(datetime.fromisoformat(archive.manifest.made_at), *done, folder)


def _check_version(archive: Archive) -> None:
    unknown = sorted(set(archive.manifest.migrations) - migrations_known())
    if unknown:
        raise BackupError(
            f"This backup was made by a newer version of the panel ({'.'.join(unknown[0])} is not known here). "
            "Install that version first. Nothing was changed."
        )


def _secrets(archive: Archive, passphrase: str | None, *, keep: bool) -> dict[str, str] | None:
    """Return the secrets to put in place; None when those in use are the same, or are to stay."""
    if sealing.fingerprints(sealing.present()) == archive.manifest.fingerprints:
        if passphrase is not None and archive.manifest.with_secrets:
            _unsealed(archive, passphrase)  # a wrong one must not go unnoticed
        return None
    if keep:
        return None
    if not archive.manifest.with_secrets:
        raise BackupError(
            "This installation has other secrets than the backup's, which are not in it. Put the old ones into "
            "STATE/secrets, or restore with --keep-secrets: API tokens then have to be made anew. Nothing was changed."
        )
    if passphrase is None:
        raise BackupError("The backup's secrets are sealed: give its passphrase. Nothing was changed.")
    return _unsealed(archive, passphrase)


def _unsealed(archive: Archive, passphrase: str) -> dict[str, str]:
    with archive.open(SECRETS) as member:
        return sealing.unseal(member.read(), passphrase)


def _usual_folder() -> Path:
    return Path(settings.STATE_DIR) / "secrets"


@contextmanager
def _files(secrets: dict[str, str] | None, folder: Path | None) -> Iterator[sealing.SecretFiles | None]:
    """Prepare the files of secrets; take them away again when the block raises."""
    if secrets is None:
        yield None
        return
    given = [name for name in sealing.FILES if os.environ.get(name) or os.environ.get(f"{name}_FILE")]
    if folder is None and given:
        raise BackupError(
            f"{given[0]} comes from the environment, so the backup's secrets cannot be put in place. Name a folder for "
            "them with --secrets-to, then give them to the panel's processes. Nothing was changed."
        )
    try:
        files = sealing.SecretFiles(folder or _usual_folder(), secrets)
    except OSError as error:
        raise BackupError(f"The secrets cannot be written: {error.strerror or error}. Nothing was changed.") from error
    try:
        yield files
    except BaseException:
        files.discard()
        raise


def _in_one_transaction(archive: Archive) -> tuple[int, int]:
    """Replace the database's content. Returns how many jobs were ended and how many migrations were applied."""
    try:
        connection.ensure_connection()
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", [LOCK_WAIT])
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            database.clear()
            with archive.open(DATABASE) as dump:
                database.load(dump)
            before = len(archive.manifest.migrations)
            call_command("migrate", interactive=False, verbosity=0)
            ended = put_right()
            _note(archive)
            return ended, len(migrations_known()) - before
    except (psycopg2.Error, DatabaseError) as error:
        said = str(error).strip().splitlines()
        raise BackupError(
            f"PostgreSQL refused: {said[0] if said else type(error).__name__}. Nothing was changed."
        ) from error
    finally:
        connection.close()  # the dump's script has set this session up for itself


def _note(archive: Archive) -> None:
    """Write the trail, and the backup itself: its own row was made after it."""
    row, _ = PanelBackup.objects.get_or_create(
        created_at=archive.manifest.made_at,
        defaults={
            "file": archive.path.name[:255],
            "size_bytes": archive.path.stat().st_size,
            "sha256": "",
            "with_secrets": archive.manifest.with_secrets,
            "seconds": 0.0,
        },
    )
    audit_record(
        actor=SYSTEM,
        action="panel.restored",
        object_type="panel",
        object_id=row.pk,
        object_label=archive.path.name,
        changes={"made_at": (None, archive.manifest.made_at)},
    )
