"""``manage.py collector``: the process that watches hosts and heals jobs."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from panel.core.logs import process_is
from panel.core.processes import Heartbeat
from vms.collector.process import Collector


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT."""

    help = "Watch the hosts, write down what they report, and heal lost jobs."

    def handle(self, *args: Any, **options: Any) -> None:
        process_is("collector")
        collector = Collector()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: collector.stop.set())
        beating = Heartbeat().start()
        collector.run()
        beating.stop()
