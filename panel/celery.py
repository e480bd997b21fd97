"""The Celery app. One task runs every job; queues: ``jobs`` (workers), ``builder`` (root, images)."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from panel.core.garbage import collect_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.production")

app = Celery("innkeeper")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["panel.core"])


@worker_process_init.connect
def _settle(**_: Any) -> None:
    collect_seldom()
