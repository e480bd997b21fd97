"""What is wrong with the panel and the fleet, in words, worst first. No host is asked for it.

Each app adds its own looks by ``health_check`` when it is ready. A look costs a bounded number of queries, and one that
fails does not silence the others.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Protocol

from django.core.cache import cache
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

logger = logging.getLogger(__name__)
MOST = 50  # findings of one kind; what is more is counted
_REMEMBERED_S = 7 * 86_400
_MORE = ngettext_lazy("The same is true of %(count)s more.", "The same is true of %(count)s more.", "count")


class Severity(IntEnum):
    """How bad it is: worst first."""

    CRITICAL = 0  # something does not work now
    WARNING = 1  # it will not, or works badly
    NOTICE = 2  # worth knowing


class Plural(Protocol):
    """A sentence in singular and plural that is not chosen yet."""

    def __mod__(self, words: dict[str, object]) -> str:
        """Choose and fill it in."""


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


Look = Callable[[datetime], Iterable[Finding]]
_looks: list[Look] = []


def health_check(look: Look) -> Look:
    """Decorator: add a look. It is called with the database's time."""
    _looks.append(look)
    return look


def findings(now: datetime) -> list[Finding]:
    """Return everything that is wrong ``now``, worst and oldest first. Raises when the database is away.

    ``now`` is the database's time, as all that is compared with it.
    """
    found: list[Finding] = []
    for look in _looks:
        try:
            with transaction.atomic():
                found += look(now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("a look at the panel's health failed")
            found.append(_blind(look))
    return sorted(found, key=lambda one: (one.severity, one.since or now, one.code, one.subject))


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
    more = several(
        left,
        severity=found[MOST].severity,
        code=code,
        sentence=_MORE,
        hint=_("The list shows all of them."),
        link=link,
    )
    return [*found[:MOST], *more]


def several(
    count: int,
    *,
    severity: Severity,
    code: str,
    sentence: Plural,
    hint: str,
    since: datetime | None = None,
    subject: str = "",
    link: str = "",
    **words: object,
) -> Iterator[Finding]:
    """Yield the finding that ``count`` things of one kind are so, or nothing when there are none.

    ``sentence`` is an ``ngettext_lazy`` on "count", filled in with the count and ``words``.
    """
    if count:
        yield Finding(
            severity=severity,
            code=code,
            subject=subject,
            since=since,
            sentence=sentence % {"count": count, **words},
            hint=hint,
            link=link,
        )


def since_when(code: str, *, wrong: bool, now: datetime) -> datetime | None:
    """Return when something was first found wrong that leaves no trace of its own; forget it when it is right.

    ``now`` is the database's time.
    """
    key = f"health:{code}"
    if not wrong:
        if cache.get(key) is not None:
            cache.delete(key)
        return None
    cache.add(key, now, _REMEMBERED_S)
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
