"""``manage.py api_token``: a fresh API token of the first administrator."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from panel.core.actors import person
from panel.core.models import TokenScope
from panel.core.people.first_admin import first_admin_get
from panel.core.people.tokens import token_create


class Command(BaseCommand):
    """Prints the token and nothing else, so that ``TOKEN=$(manage.py api_token)`` works."""

    help = "Print a fresh API token of the first administrator. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", default="made on the machine")
        parser.add_argument("--scope", default=str(TokenScope.WRITE), choices=TokenScope.values)

    def handle(self, *args: object, **options: str) -> None:
        admin = first_admin_get()
        if admin is None:
            raise CommandError("There is no administrator. Run first_admin to make one.")
        made = token_create(actor=person(admin), name=options["name"], scope=options["scope"])
        self.stdout.write(made.value)
