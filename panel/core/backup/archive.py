"""The file: an uncompressed zip of ``database.dump``, ``secrets.sealed`` and, written last, ``manifest.json``.

The manifest has the SHA-256 of the others, when and by which version it was made, which migrations the database had,
and the fingerprints of the secrets.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from panel.core.backup.errors import BackupError

FORMAT = 1
DATABASE, SECRETS, MANIFEST = "database.dump", "secrets.sealed", "manifest.json"
CHUNK_BYTES = 1024 * 1024
_DAMAGED = (zipfile.BadZipFile, EOFError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. ``made_at`` is ISO 8601 by the database's clock."""

    made_at: str
    version: str
    server_version: str
    migrations: tuple[tuple[str, str], ...]
    fingerprints: dict[str, str]
    members: dict[str, str] = field(default_factory=dict)  # name: SHA-256
    format: int = FORMAT

    @property
    def with_secrets(self) -> bool:
        """True when the secrets are in it, sealed."""
        return SECRETS in self.members


@contextmanager
def file_written(target: Path) -> Iterator[IO[bytes]]:
    """Write a file that only its owner may read, and that appears whole or not at all, whatever is raised meanwhile."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class ArchiveWriter:
    """Writes members one after the other, and the manifest at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._members: dict[str, str] = {}

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._zip.fp = None  # nothing can be added at its end any more, which it would try

    def add(self, name: str, source: IO[bytes]) -> None:
        """Copy a stream into the archive."""
        digest = hashlib.sha256()
        with self._zip.open(name, "w", force_zip64=True) as member:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                member.write(chunk)
        self._members[name] = digest.hexdigest()

    def close(self, manifest: Manifest) -> None:
        """Write the manifest over all members, and end the archive."""
        shown = {**asdict(manifest), "members": self._members}
        self._zip.writestr(MANIFEST, json.dumps(shown, indent=1))
        self._zip.close()


class Archive:
    """A backup that was opened and found whole."""

    def __init__(self, path: Path) -> None:
        """Raises BackupError when the file cannot be read, is no backup, is damaged, or is of a newer format."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest = _manifest(self._zip)
            self._check()
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror or error}.") from error
        except _DAMAGED as error:
            raise BackupError(f"{path} is not a backup of the panel, or it is damaged. Nothing was changed.") from error

    def open(self, name: str) -> IO[bytes]:
        """Return a member as a stream."""
        return self._zip.open(name)

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def _check(self) -> None:
        if self.manifest.format > FORMAT:
            raise BackupError("This backup was made by a newer version of the panel. Install that version first.")
        if DATABASE not in self.manifest.members or {*self.manifest.members, MANIFEST} != set(self._zip.namelist()):
            raise ValueError("members")
        for name, wanted in self.manifest.members.items():
            digest = hashlib.sha256()
            with self._zip.open(name) as member:
                while chunk := member.read(CHUNK_BYTES):
                    digest.update(chunk)
            if digest.hexdigest() != wanted:
                raise ValueError(name)


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    found: dict[str, Any] = json.loads(archive.read(MANIFEST))
    pairs = tuple((str(app), str(name)) for app, name in found.pop("migrations"))
    return Manifest(migrations=pairs, **found)
