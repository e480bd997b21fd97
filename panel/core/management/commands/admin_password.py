"""``manage.py admin_password``: a new password for an administrator."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from panel.core.errors import NotFoundError
from panel.core.people.first_admin import admin_password_reset


class Command(BaseCommand):
    """Prints ``EMAIL PASSWORD``; their open pages are signed out."""

    help = "Give the first administrator (or --email) a new password and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default=None)

    def handle(self, *args: object, **options: str | None) -> None:
        try:
            made = admin_password_reset(email=options["email"])
        except NotFoundError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.email} {made.password}")
