"""One comparison from its snapshots to the rows, and whose turn it is."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from hosts.models import HostConnection
from vms.models import Comparison, DifferenceKind
from vms.services.reconcile.automatic import filters_repair
from vms.services.reconcile.guest_checks import domain_checks, guest_checks
from vms.services.reconcile.panel_checks import panel_checks
from vms.services.reconcile.panel_view import panel_view
from vms.services.reconcile.record import differences_record
from vms.services.reconcile.snapshots import Finding, HostView
from vms.services.reconcile.volume_checks import volume_checks

PANEL = UUID(int=1)  # the comparison of what the panel alone knows
_K = DifferenceKind
_DOMAINS = (
    _K.DOMAIN_WITHOUT_GUEST, _K.GUEST_WITHOUT_DOMAIN, _K.WRONG_SIZE, _K.WRONG_NETWORK, _K.FILTER_MISSING,
    _K.CONFIGURATION_CHANGED, _K.ADDRESS_NOT_ALLOCATED,
)  # fmt: skip
_VOLUMES = (_K.VOLUME_WITHOUT_OWNER, _K.VOLUME_MISSING)
_SOURCES: dict[str, tuple[tuple[DifferenceKind, ...], Callable[[], Iterable[Finding]]]] = {
    "panel": ((_K.ADDRESS_WITHOUT_GUEST, _K.TOTAL_WRONG), panel_checks)
}


def source_add(name: str, kinds: tuple[DifferenceKind, ...], checks: Callable[[], Iterable[Finding]]) -> None:
    """Let an app above this one add its checks. Each finds only differences of its own ``kinds``."""
    _SOURCES[name] = (kinds, checks)


def turn_take(connection: HostConnection | None, *, anew: bool = False) -> bool:
    """Take the turn of comparing a hypervisor, or what the panel alone knows; False when another had it lately.

    Any number may ask: the row is moved by one guarded UPDATE. ``anew``: somebody asked for it now.
    """
    row, _ = Comparison.objects.get_or_create(**({"pk": PANEL} if connection is None else {"connection": connection}))
    now = timezone.now()
    due = Q(pk=row.pk)
    if not anew:
        due &= Q(began_at__isnull=True) | Q(began_at__lt=now - timedelta(seconds=settings.COMPARE_EVERY_S))
    return bool(Comparison.objects.filter(due).update(began_at=now))


def turn_end(connection: HostConnection | None, *, error: str = "") -> None:
    """Note how a comparison ended."""
    mine = Q(pk=PANEL) if connection is None else Q(connection=connection)
    fields = {"error": error} if error else {"error": "", "ended_at": timezone.now()}
    Comparison.objects.filter(mine).update(**fields)


def host_compare(*, connection: HostConnection, host: HostView, began_at: datetime) -> None:
    """Compare what a hypervisor said with the panel, write it down, and repair by itself what is safe to."""
    used = {address for domain in host.domains for nic in domain.nics for address in nic.addresses}
    panel = panel_view(connection=connection, began_at=began_at, used_addresses=used)
    findings = [*domain_checks(panel, host), *guest_checks(panel, host), *volume_checks(panel, host)]
    differences_record(
        findings=findings,
        scope=Q(host_id=connection.host_id, host_type=connection.host_type),
        kinds=_DOMAINS if host.volumes is None else (*_DOMAINS, *_VOLUMES),
        now=timezone.now(),
        left_out=panel.busy,
    )
    turn_end(connection)
    filters_repair(host_id=connection.host_id, host_type=connection.host_type)


def panel_compare() -> None:
    """Compare what needs no host: the panel's own rows, and what other apps have added."""
    for kinds, checks in _SOURCES.values():
        differences_record(findings=list(checks()), scope=Q(), kinds=kinds, now=timezone.now())
    turn_end(None)
