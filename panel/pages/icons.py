"""The icons that pages use, as one SVG sprite made from the npm package (MIT, Tabler)."""

import hashlib
import re
from functools import cache
from pathlib import Path

from django.conf import settings

# Names of outline icons; pages and modules may use these and no others.
ICONS = (
    "activity", "adjustments-horizontal", "alert-triangle", "arrow-down", "arrow-left", "arrow-up", "ban",
    "bell", "bolt", "building", "chart-line", "check", "chevron-down", "chevron-right", "circle-check", "circle-dashed",
    "circle-x", "clock", "coin", "copy", "cpu", "database", "device-desktop", "dots", "edit", "eye", "gauge",
    "heartbeat", "history", "home", "id-badge-2", "info-circle", "key", "layout-dashboard", "link", "list-check",
    "lock", "logout", "map-pin", "menu-2", "moon", "network", "photo", "player-play", "plus", "power", "refresh",
    "rotate-clockwise", "search", "selector", "server", "server-2", "settings", "shield-lock", "stack-2", "stethoscope",
    "sun", "table", "tag", "terminal-2", "tool", "trash", "user", "users", "users-group", "world", "x",
)  # fmt: skip
_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_BLANK = re.compile(r'\s*<path stroke="none" d="M0 0h24v24H0z" fill="none" />')


def _folder() -> Path:
    return Path(settings.BASE_DIR) / "node_modules/@tabler/icons/icons/outline"


@cache
def sprite() -> str:
    """Return the sprite: one ``<symbol>`` an icon; without node_modules an empty one."""
    symbols = []
    for name in ICONS:
        path = _folder() / f"{name}.svg"
        found = _BODY.search(path.read_text()) if path.is_file() else None
        if found:
            body = " ".join(_BLANK.sub("", found.group(1)).split())
            symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>'


@cache
def sprite_version() -> str:
    """Return what changes in the sprite's address when an icon does."""
    return hashlib.sha256(sprite().encode()).hexdigest()[:12]
