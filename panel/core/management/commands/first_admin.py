"""``manage.py first_admin``: make the first administrator, once."""

from django.core.management.base import BaseCommand, CommandParser

from panel.core.people.first_admin import DEFAULT_EMAIL, first_admin_ensure


class Command(BaseCommand):
    """Prints ``EMAIL PASSWORD`` when it made one, nothing when there was one already."""

    help = "Make the first administrator and the house's own customer, unless they exist."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default=DEFAULT_EMAIL)

    def handle(self, *args: object, **options: str) -> None:
        made = first_admin_ensure(email=options["email"])
        if made is not None:
            self.stdout.write(f"{made.email} {made.password}")
