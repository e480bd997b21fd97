"""The Celery app. One task runs every job; queues: ``jobs`` (workers), ``builder`` (root, images)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.production")

app = Celery("innkeeper")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["panel.core"])
