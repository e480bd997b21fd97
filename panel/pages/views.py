"""Page views: an HTML shell each. Data comes from the REST API, so no page waits for a list or a host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from panel.core.permissions import Permission
from panel.pages.context import frame, page_actor
from panel.pages.icons import sprite

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: ``module`` is the ES module that fills it, ``nav`` the entry it belongs to.

    ``skeleton`` says what stands there until the data has come: list, cards, detail or form. ``staff``:
    for those who see every customer's things, whatever else a role allows.
    """

    name: str
    path: str
    title: str | Promise
    module: str
    permission: Permission | None
    nav: str
    skeleton: str = "list"
    staff: bool = False

    @property
    def script(self) -> str:
        """The module's name among the static files."""
        return f"js/pages/{self.module}.js"

    @property
    def view(self) -> View:
        """The view of the page."""
        return _view(self)


def _view(page: Page) -> View:
    @require_safe
    def show(request: HttpRequest, **ids: Any) -> HttpResponse:
        actor = page_actor(request)
        if actor is None:
            return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
        if (page.staff and not actor.is_staff) or not (page.permission is None or actor.may_somewhere(page.permission)):
            raise PermissionDenied
        context = {
            **frame(request, actor),
            "page": page,
            "nav_now": page.nav,
            "page_data": {"ids": {key: str(value) for key, value in ids.items()}, "page": page.name},
        }
        response = render(request, "pages/page.html", context)
        response["Cache-Control"] = "no-store"
        return response

    return show


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Send everybody to the page they begin with."""
    actor = page_actor(request)
    if actor is None:
        return redirect_to_login("/", settings.LOGIN_URL)
    return redirect("page-overview" if actor.is_staff else "page-servers")


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def icons(request: HttpRequest, version: str) -> HttpResponse:
    """Serve the icon sprite; its address changes with its content."""
    return HttpResponse(sprite(), content_type="image/svg+xml")
