"""What is wrong with the panel and the fleet, in words, worst first. No host is asked for it.

Each app adds its own looks by ``health_check`` when it is ready. A look costs a bounded number of queries, and one that
fails does not silence the others.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.core.cache import cache
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

logger = logging.getLogger(__name__)
MOST = 50  # findings of one kind; what is more is counted
_REMEMBERED_S = 7 * 86_400


class Severity(IntEnum):
    """How bad it is: worst first."""

    CRITICAL = 0  # something does not work now
    WARNING = 1  # it will not, or works badly
    NOTICE = 2  # worth knowing


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of Health.

    Attributes:
        code: what it is, for programs; stable.
        subject: what it is about: a host's name, "redis", an action; "" for the panel as a whole.
        since: when it began, as far as that is known.
        sentence: what is the case.
        hint: what it means and what to do.
        link: the page where that is done, "" for none.
    """

    severity: Severity
    code: str
    sentence: str
    hint: str
    subject: str = ""
    since: datetime | None = None
    link: str = ""


Look = Callable[[], Iterable[Finding]]
_looks: list[Look] = []


def health_check(look: Look) -> Look:
    """Decorator: add a look."""
    _looks.append(look)
    return look


def findings() -> list[Finding]:
    """Return everything that is wrong, worst and oldest first. Raises when the database is away."""
    found: list[Finding] = []
    for look in _looks:
        try:
            with transaction.atomic():
                found += look()
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("a look at the panel's health failed")
            found.append(_blind(look))
    return sorted(found, key=lambda one: (one.severity, one.since or timezone.now(), one.code, one.subject))


def _blind(look: Look) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        code="look_failed",
        subject=look.__name__,
        sentence=_("A part of this page could not be found out: %(name)s.") % {"name": look.__name__.replace("_", " ")},
        hint=_("That is a mistake in the panel. The log of the web process has the reason."),
    )


def few(found: list[Finding], *, code: str, link: str) -> list[Finding]:
    """Return at most ``MOST`` findings of one kind, and one that counts the others."""
    left = len(found) - MOST
    if left <= 0:
        return found
    more = Finding(
        severity=found[MOST].severity,
        code=code,
        sentence=ngettext("The same is true of %(count)s more.", "The same is true of %(count)s more.", left)
        % {"count": left},
        hint=_("The list shows all of them."),
        link=link,
    )
    return [*found[:MOST], more]


def since_when(code: str, *, wrong: bool) -> datetime | None:
    """Return when something was first found wrong that leaves no trace of its own; forget it when it is right."""
    key = f"health:{code}"
    if not wrong:
        if cache.get(key) is not None:
            cache.delete(key)
        return None
    cache.add(key, timezone.now(), _REMEMBERED_S)
    found: datetime | None = cache.get(key)
    return found


def duration_words(length: timedelta) -> str:
    """Return a length of time in one unit: "40 seconds", "4 minutes", "3 hours", "9 days"."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 90:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    if seconds < 90 * 60:
        return ngettext("%(count)s minute", "%(count)s minutes", seconds // 60) % {"count": seconds // 60}
    if seconds < 48 * 3600:
        return ngettext("%(count)s hour", "%(count)s hours", seconds // 3600) % {"count": seconds // 3600}
    return ngettext("%(count)s day", "%(count)s days", seconds // 86_400) % {"count": seconds // 86_400}
