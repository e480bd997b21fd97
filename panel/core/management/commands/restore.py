"""``manage.py restore FILE``: the panel as it was."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from panel.core.backup.command import arguments_add, passphrase_of
from panel.core.backup.errors import BackupError
from panel.core.backup.restore import restore


class Command(BaseCommand):
    """Prints what was restored and what to look at."""

    help = "Restore a backup of the panel into an empty database. Nothing on the hosts is changed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        arguments_add(parser)
        parser.add_argument("--replace", action="store_true", help="also when the database is not empty: drops it all")
        parser.add_argument("--keep-secrets", action="store_true", help="stay with this installation's other secrets")
        parser.add_argument("--secrets-to", type=Path, help="write the secrets into this folder, not STATE/secrets")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restore(
                options["file"].absolute(),
                passphrase=passphrase_of(options["passphrase_file"]),
                replace=options["replace"],
                keep_secrets=options["keep_secrets"],
                secrets_folder=options["secrets_to"],
            )
        except BackupError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        self.stdout.write(f"Restored the panel as it was at {done.made_at:%Y-%m-%d %H:%M:%S %Z}.")
        if done.migrated:
            self.stdout.write(f"{done.migrated} migrations of this version were applied.")
        if done.jobs_ended:
            self.stdout.write(f"{done.jobs_ended} jobs that were under way then have failed; none is carried on.")
        if done.secrets_folder is not None:
            self.stdout.write(f"The backup's secrets are in {done.secrets_folder}.")
        self.stdout.write(
            "Restart the panel's processes. Everybody signs in again. Nothing on the hosts was changed: servers made "
            "since then run on; the panel does not know them and lists them as differences."
        )
