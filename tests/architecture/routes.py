"""What the URL configuration says: every route of the API with its view and parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PREFIX = "api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One path of the API."""

    name: str
    template: str  # "guests/<uuid:guest_id>"
    parameters: tuple[str, ...]
    view: type[Any]

    @property
    def handled(self) -> set[str]:
        """Methods the view has a handler for."""
        allowed = getattr(self.view, "http_method_names", METHODS)
        return {method.upper() for method in METHODS if method in allowed and hasattr(self.view, method)}

    @property
    def declared(self) -> dict[str, Any]:
        """The view's permission table."""
        return dict(getattr(self.view, "permissions", {}))

    def path(self, values: dict[str, Any]) -> str:
        """Return the path below /api/v1 with parameters filled in."""
        text = "/" + self.template
        for pattern in self._parts():
            text = text.replace(pattern, str(values[pattern.strip("<>").split(":")[-1]]))
        return text

    def _parts(self) -> list[str]:
        return [f"<{part.split('>')[0]}>" for part in self.template.split("<")[1:]]


def api_routes() -> list[Route]:
    """Return every route below /api/v1."""
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[Route]:
    for entry in patterns:
        text = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if text.startswith(PREFIX) or PREFIX.startswith(text):
                yield from _walk(entry.url_patterns, text)
        elif text.startswith(PREFIX):
            callback: Any = entry.callback
            view = getattr(callback, "view_class", None) or getattr(callback, "cls", None) or callback
            template = text.removeprefix(PREFIX)
            yield Route(entry.name or template, template, tuple(entry.pattern.converters), view)
