"""The Celery app. One task runs every job; queues: ``jobs`` (workers), ``builder`` (root, images)."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init, worker_ready, worker_shutdown
from celery.utils.log import get_multiprocessing_logger
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from panel.core.garbage import collect_seldom
from panel.core.logs import line_at_once, process_is

_NICENESS = 5  # where all share a machine, whoever asks the panel is answered before its jobs go on

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.production")

TRANSPORT_ALIASES["redis"] = "panel.broker:Transport"  # also what redis+socket:// stands for
app = Celery("innkeeper")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["panel.core"])


@worker_process_init.connect
def _settle(**_: Any) -> None:
    collect_seldom()


@celeryd_init.connect
def _say_what_it_is(options: dict[str, Any] | None = None, **_: Any) -> None:
    queues = str((options or {}).get("queues") or "")
    process_is("builder" if "builder" in queues else "worker")
    os.nice(_NICENESS)


@setup_logging.connect
def _log_as_all_do(**_: Any) -> None:
    """Keep Celery from setting up logs of its own; children inherit these."""
    get_multiprocessing_logger()  # makes it, and it would keep to itself what the pool says of a killed child
    logging.config.dictConfig(settings.LOGGING)
    from celery.apps import worker  # only there when this is one

    worker.safe_say = line_at_once  # what it says when a signal ends it


@worker_ready.connect
def _say_that_it_lives(sender: Any = None, **_: Any) -> None:
    from panel.core.processes import Heartbeat  # needs the apps to be ready

    beating = Heartbeat().start()
    worker_shutdown.connect(lambda **_: beating.stop(), weak=False)
