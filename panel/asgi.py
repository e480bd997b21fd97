"""The ASGI application of the web process: long answers by ``panel.live``, everything else by Django."""

import os
from typing import TYPE_CHECKING, cast

from django.core.asgi import get_asgi_application

if TYPE_CHECKING:
    from panel.live.application import Application, Asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.production")


def _make() -> "Application":
    django = cast("Asgi", get_asgi_application())  # first: what follows needs the apps to be ready
    from django.conf import settings

    from panel.live.application import Application

    return Application(
        django=django, slots=settings.WEB_DB_SLOTS, wait_s=settings.WEB_DB_WAIT_S, redis_url=settings.REDIS_URL
    )


application = _make()
