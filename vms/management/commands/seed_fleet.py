"""``manage.py seed_fleet --hosts N --guests M``: a made-up fleet, for measuring and looking."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from vms.services.demo_fleet import demo_fleet_make


class Command(BaseCommand):
    """Adds rows only; nothing tries to reach the hosts."""

    help = "Add a made-up fleet to the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hosts", type=int, required=True)
        parser.add_argument("--guests", type=int, required=True)
        parser.add_argument("--customers", type=int, default=0, help="default: one for ten guests")

    def handle(self, *args: Any, **options: Any) -> None:
        customers = options["customers"] or max(1, options["guests"] // 10)
        demo_fleet_make(hosts=options["hosts"], guests=options["guests"], customers=customers)
        self.stdout.write(f"{options['hosts']} hosts and {options['guests']} guests of {customers} customers added.")
