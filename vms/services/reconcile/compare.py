"""One comparison from its snapshots to the rows."""

from collections.abc import Callable, Iterable

from django.db import InterfaceError, OperationalError
from django.db.models import Q

from hosts.models import HostConnection
from hosts.services.addresses import addresses_seen_used
from hosts.services.restored import compared
from vms.models import Difference, DifferenceKind
from vms.services.reconcile.automatic import repairs_go_on
from vms.services.reconcile.guest_checks import domain_checks, guest_checks
from vms.services.reconcile.panel_checks import panel_checks
from vms.services.reconcile.panel_view import panel_view
from vms.services.reconcile.record import differences_record
from vms.services.reconcile.snapshots import Finding, HostView, NotAll, PanelView
from vms.services.reconcile.stopped import stopped_tell
from vms.services.reconcile.turns import Turn, turn_failed, turn_take, turn_written
from vms.services.reconcile.volume_checks import volume_checks

_K = DifferenceKind
_DOMAINS = (
    _K.DOMAIN_WITHOUT_GUEST, _K.GUEST_WITHOUT_DOMAIN, _K.WRONG_SIZE, _K.WRONG_NETWORK, _K.FILTER_MISSING,
    _K.CONFIGURATION_CHANGED, _K.ADDRESS_NOT_ALLOCATED, _K.HOST_LOST_GUESTS,
)  # fmt: skip
_VOLUMES = (_K.VOLUME_WITHOUT_OWNER, _K.VOLUME_MISSING, _K.POOL_LOST_VOLUMES)
Checks = Callable[[], Iterable[Finding | NotAll]]
_SOURCES: dict[str, tuple[tuple[DifferenceKind, ...], Checks]] = {
    "panel": ((_K.ADDRESS_WITHOUT_GUEST, _K.TOTAL_WRONG), panel_checks)
}


def source_add(name: str, kinds: tuple[DifferenceKind, ...], checks: Checks) -> None:
    """Let an app above this one add its checks. Each finds only differences of its own ``kinds``."""
    _SOURCES[name] = (kinds, checks)


def host_compare(*, connection: HostConnection, host: HostView, turn: Turn) -> bool:
    """Compare what a hypervisor said with the panel, write it down, and repair by itself what is safe to.

    ``turn`` was taken before the host was asked. Returns False, with nothing written, when a later one has been.
    """
    used = {address for domain in host.domains for nic in domain.nics for address in nic.addresses}
    panel = panel_view(connection=connection, began_at=turn.began_at, used_addresses=used)
    unowned = {
        address
        for domain in host.domains
        for nic in domain.nics
        for address in nic.addresses
        if domain.id not in panel.busy and panel.addresses.get(address, domain.id) is None
    }
    findings = [*domain_checks(panel, host), *guest_checks(panel, host), *volume_checks(panel, host)]
    with turn_written(turn) as now:
        if now is None:
            return False
        differences_record(
            findings=findings,
            scope=Q(host_id=connection.host_id, host_type=connection.host_type),
            kinds=_DOMAINS if host.volumes is None else (*_DOMAINS, *_VOLUMES),
            began_at=turn.began_at,
            now=now,
            stays=_not_looked_at(panel, host),
        )
        addresses_seen_used(host_id=connection.host_id, addresses=unowned)
        compared(connection_id=connection.pk, began_at=turn.began_at)
    repairs_go_on(host_id=connection.host_id, host_type=connection.host_type)
    stopped_tell()
    return True


def _not_looked_at(panel: PanelView, host: HostView) -> Callable[[Difference], bool]:
    """Tell of which differences this look says nothing: guests at work, and configurations that were not compared."""
    living = {guest.id for guest in panel.guests}

    def stays(row: Difference) -> bool:
        skipped = row.kind == _K.CONFIGURATION_CHANGED and row.object_id in living - host.changes.keys()
        return skipped or row.object_id in panel.busy

    return stays


def panel_compare(*, anew: bool = True) -> None:
    """Compare what needs no host: the panel's own rows, and what other apps have added. Not ``anew``: if it is due."""
    turn = turn_take(None, anew=anew)
    if turn is None:
        return
    try:
        found = [(kinds, list(checks())) for kinds, checks in _SOURCES.values()]
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        turn_failed(turn, error=f"The panel could not compare its own records ({type(error).__name__}).")
        raise
    with turn_written(turn) as now:
        if now is not None:
            for kinds, findings in found:
                differences_record(findings=findings, scope=Q(), kinds=kinds, began_at=turn.began_at, now=now)
