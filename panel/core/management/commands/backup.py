"""``manage.py backup FILE``: the whole panel in one file."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from panel.core.backup.command import VARIABLE, arguments_add, passphrase_of
from panel.core.backup.errors import BackupError
from panel.core.backup.make import backup_make


class Command(BaseCommand):
    """Prints what was written and, without a passphrase, what is not in it."""

    help = "Write a backup of the panel (database and sealed secrets, no servers' disks). The panel may run."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments_add(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = backup_make(options["file"].absolute(), passphrase=passphrase_of(options["passphrase_file"]))
        except BackupError as error:
            raise CommandError(str(error)) from error
        mib = made.size_bytes / 1024**2
        self.stdout.write(
            f"Backup of the panel: {made.path}, {mib:.1f} MiB, {made.seconds:.1f} s, sha256 {made.sha256}"
        )
        if made.with_secrets:
            self.stdout.write("Its secrets are sealed with the passphrase. Keep that apart from the file.")
        else:
            self.stdout.write(
                "The panel's secrets are NOT in it, because no passphrase was given: keep a copy of STATE/secrets "
                f"elsewhere, or give --passphrase-file or {VARIABLE}. Without them no API token works after a restore."
            )
