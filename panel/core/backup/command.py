"""What the commands ``backup`` and ``restore`` share."""

import os
from pathlib import Path

from django.core.management.base import CommandParser

from panel.core.backup.errors import BackupError

VARIABLE = "INNKEEPER_BACKUP_PASSPHRASE"


def arguments_add(parser: CommandParser) -> None:
    """Add the file and its passphrase."""
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        help=f"its first line is the passphrase; or {VARIABLE} in the environment",
    )


def passphrase_of(file: Path | None) -> str | None:
    """Return the passphrase that was given, None without one. Raises BackupError."""
    if file is None:
        return os.environ.get(VARIABLE) or None
    try:
        first = (file.read_text().splitlines() or [""])[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not first:
        raise BackupError(f"{file} is empty: its first line must be the passphrase.")
    return first
