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
    from django.urls import get_resolver

    from panel.core.garbage import collect_seldom
    from panel.core.logs import process_is
    from panel.live.application import Application

    made = Application(
        django=django, slots=settings.WEB_DB_SLOTS, wait_s=settings.WEB_DB_WAIT_S, redis_url=settings.REDIS_URL
    )
    get_resolver().url_patterns  # noqa: B018 - loads every view, which the first request would wait for
    collect_seldom()
    process_is("web")
    return made


application = _make()
