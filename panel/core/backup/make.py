"""Making a backup."""

import errno
import hashlib
import io
import time
from dataclasses import dataclass
from pathlib import Path

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

import panel
from panel.core.actors import SYSTEM
from panel.core.audit import audit_record
from panel.core.backup import sealing
from panel.core.backup.archive import CHUNK_BYTES, DATABASE, SECRETS, ArchiveWriter, Manifest, file_written
from panel.core.backup.database import dump_stream
from panel.core.backup.errors import BackupError
from panel.core.models import PanelBackup
from panel.core.readiness import migrations_known, migrations_pending

OURS = ("core", "hosts", "vms", "billing")


@dataclass(frozen=True, slots=True)
class BackupMade:
    """A backup that lies there."""

    path: Path
    size_bytes: int
    sha256: str
    with_secrets: bool
    seconds: float


def backup_make(path: Path, *, passphrase: str | None) -> BackupMade:
    """Write the whole panel into one file; without a passphrase its secrets are left out.

    The file appears whole, readable by its owner only, and replaces an older one of its name. The panel may run.

    Raises:
        BackupError: one sentence; then there is no new file.
    """
    began = time.monotonic()
    if passphrase is not None and len(passphrase) < sealing.LEAST:
        raise BackupError(f"The passphrase is too short: use at least {sealing.LEAST} characters.")
    if path.exists() and not path.is_file():
        raise BackupError(f"{path} is not a file.")
    secrets = sealing.present()
    try:
        with file_written(path) as file:
            manifest = _manifest(secrets)
            with ArchiveWriter(file) as writer:
                with dump_stream() as dump:
                    writer.add(DATABASE, dump)
                if passphrase is not None:
                    writer.add(SECRETS, io.BytesIO(sealing.seal(secrets, passphrase)))
                writer.close(manifest)
        digest = _digest(path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "there is not enough space" if full else error.strerror or str(error)
        raise BackupError(f"{path} cannot be written: {reason}. There is no new backup.") from error
    made = BackupMade(path, path.stat().st_size, digest, passphrase is not None, time.monotonic() - began)
    if not migrations_pending():  # one that is made before an upgrade has nowhere to be noted
        _note(made, at=manifest.made_at)
    return made


def _manifest(secrets: dict[str, str]) -> Manifest:
    applied = set(MigrationRecorder.Migration.objects.values_list("app", "name"))
    if unknown := sorted(pair for pair in applied - migrations_known() if pair[0] in OURS):
        raise BackupError(f"The database is of a newer version of the panel ({'.'.join(unknown[0])}).")
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), current_setting('server_version')")
        now, server = cursor.fetchone()
    return Manifest(
        made_at=now.isoformat(),
        version=panel.__version__,
        server_version=server,
        migrations=tuple(sorted(applied & migrations_known())),
        fingerprints=sealing.fingerprints(secrets),
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@transaction.atomic
def _note(made: BackupMade, *, at: str) -> None:
    """Remember when the last one was made, for Health and the trail."""
    row = PanelBackup.objects.create(
        created_at=at,
        file=made.path.name[:255],
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        with_secrets=made.with_secrets,
        seconds=made.seconds,
    )
    audit_record(
        actor=SYSTEM,
        action="panel.backed-up",
        object_type="panel",
        object_id=row.pk,
        object_label=made.path.name,
        changes={"size_bytes": (None, made.size_bytes), "checksum": (None, made.sha256)},
    )
