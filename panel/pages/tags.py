"""Template tags of the pages."""

import json

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from panel.pages.icons import sprite_version
from panel.pages.modules import modules_of
from panel.static import IMPORT_MAP, ON_DEMAND

register = template.Library()


@register.simple_tag
def icon_sprite() -> str:
    """Return the address of the icon sprite."""
    return reverse("page-icons", args=[sprite_version()])


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """Return an icon; it is decoration, so the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        icon_sprite(),
        name,
    )


@register.simple_tag
def import_map() -> SafeString:
    """Return the import map's JSON: bare names to the hashed addresses of vendored modules."""
    text = json.dumps({"imports": {name: staticfiles_storage.url(path) for name, path in IMPORT_MAP.items()}})
    return mark_safe(text.replace("<", "\\u003c"))  # noqa: S308 - our own names, and "<" cannot end the element


@register.simple_tag
def module_preloads(*scripts: str) -> SafeString:
    """Return links that fetch everything these modules import, so that the browser need not find out step by step."""
    vendored = {path for name, path in IMPORT_MAP.items() if name not in ON_DEMAND}
    names = sorted({name for script in scripts for name in modules_of(script)} | vendored)
    links = ((staticfiles_storage.url(name),) for name in names)
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', links)
