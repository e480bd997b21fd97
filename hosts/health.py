"""Looks at what the company owns: hosts that are silent, pools and networks that are full."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from hosts.models import Host, HostConnection, IPAddress, Network, StoragePool
from hosts.models.hosts import SILENT_AFTER
from hosts.selectors import file_systems
from hosts.services.addresses import free_v4
from hosts.services.restored import uncompared
from hosts.states import WATCHED
from panel.core.health import Finding, Severity, duration_words, few, health_check, several

FULL, ALMOST = 0.85, 0.95
_UNCOMPARED = ngettext_lazy(
    "%(count)s host has not been looked at since the panel was restored.",
    "%(count)s hosts have not been looked at since the panel was restored.",
    "count",
)


@health_check
def silent_hosts(now: datetime) -> Iterator[Finding]:
    """Hypervisors that did not answer the last time, or were not seen for a minute: their guests are unknown."""
    silent = (
        HostConnection.objects.filter(enabled=True, host__state__in=WATCHED)
        .exclude(last_seen_at__gte=now - SILENT_AFTER, last_error="")
        .select_related("host")
        .order_by("host__name", "host_type")
    )
    by_host: dict[Host, list[HostConnection]] = {}
    for connection in silent:
        by_host.setdefault(connection.host, []).append(connection)
    enabled = Count("connections", filter=Q(connections__enabled=True))
    all_of = dict(Host.objects.filter(pk__in=[host.pk for host in by_host]).values_list("pk").annotate(enabled=enabled))
    found = [_silent(host, rows, whole=len(rows) == all_of[host.pk], now=now) for host, rows in by_host.items()]
    yield from few(found, code="hosts_silent", link="/hosts")


def _silent(host: Host, connections: list[HostConnection], *, whole: bool, now: datetime) -> Finding:
    seen = [one.last_seen_at for one in connections if one.last_seen_at is not None]
    since = min(seen) if seen and len(seen) == len(connections) else None
    types = ", ".join(one.host_type.upper() for one in connections)
    name = _("Host %(name)s") % {"name": host.name}
    if not whole:
        name = _("%(types)s on host %(name)s") % {"types": types, "name": host.name}
    said = next((one.last_error for one in connections if one.last_error), "")
    sentence = (
        _("%(name)s was never seen.") % {"name": name}
        if since is None
        else _("%(name)s has not been seen for %(age)s.") % {"name": name, "age": duration_words(now - since)}
    )
    return Finding(
        severity=Severity.CRITICAL,
        code="host_silent",
        subject=host.name,
        since=since,
        sentence=f"{sentence} {_('It says: %(error)s') % {'error': _one_line(said)}}" if said else sentence,
        hint=_(
            "Its servers are shown as unknown and may well run. Look whether the machine, its network and libvirt are "
            "up; the panel asks again by itself."
        ),
        link=f"/hosts/{host.pk}",
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())[:200]
    return line if line.endswith(".") else f"{line}."


@health_check
def full_pools(_now: datetime) -> Iterator[Finding]:
    """Pools whose file system is nearly full, or that are nearly sold."""
    rows = StoragePool.objects.managed().filter(host__state__in=WATCHED).select_related("host")
    pools = list(rows.order_by("host__name", "name"))
    measured = {pool.pk for pool in file_systems(pools)}
    found = []
    for pool in pools:
        used = (pool.capacity_bytes - pool.available_bytes) / pool.capacity_bytes if pool.capacity_bytes else 0.0
        sold = pool.used_gib / pool.limit_gib if pool.limit_gib and pool.for_new_guests else 0.0
        names = {"pool": pool.name, "host": pool.host.name}
        if used >= FULL and pool.pk in measured:
            found.append(
                Finding(
                    severity=Severity.CRITICAL if used >= ALMOST else Severity.WARNING,
                    code="pool_full",
                    subject=f"{pool.host.name} {pool.name}",
                    sentence=_("The file system of pool %(pool)s on %(host)s is %(share)s %% full.")
                    % {**names, "share": int(100 * used)},
                    hint=_("A full one pauses the servers on it. Make room, or move servers to another host."),
                    link=f"/hosts/{pool.host_id}",
                )
            )
        if sold >= FULL:
            found.append(
                Finding(
                    severity=Severity.NOTICE,
                    code="pool_sold",
                    subject=f"{pool.host.name} {pool.name}",
                    sentence=_("Pool %(pool)s on %(host)s is %(share)s %% sold.") % {**names, "share": int(100 * sold)},
                    hint=_(
                        "New servers go to other hosts when there is no more. Raise what may be sold, or add a host."
                    ),
                    link=f"/hosts/{pool.host_id}",
                )
            )
    yield from few(sorted(found, key=lambda one: one.severity), code="pools_full", link="/hosts")


@health_check
def hosts_uncompared(_now: datetime) -> Iterator[Finding]:
    """Hosts that are waited for since a restore."""
    rows = uncompared().aggregate(count=Count("host", distinct=True), since=Min("uncompared_since"))
    yield from several(
        rows["count"],
        severity=Severity.WARNING,
        code="hosts_uncompared",
        since=rows["since"],
        sentence=_UNCOMPARED,
        hint=ngettext(
            "Until then its networks give new servers no address. It takes half a minute while collectors run.",
            "Until then their networks give new servers no address. It takes half a minute while collectors run.",
            rows["count"],
        ),
        link="/hosts",
    )


@health_check
def used_up_networks(_now: datetime) -> Iterator[Finding]:
    """Networks that are given to new guests and have no IPv4 address left."""
    free = IPAddress.objects.filter(free_v4(), network=OuterRef("pk"))
    networks = Network.objects.filter(~Exists(free), enabled=True).exclude(cidr_v4="")
    found = [
        Finding(
            severity=Severity.WARNING,
            code="network_used_up",
            subject=network.name,
            sentence=_("Network %(name)s has no free IPv4 address.") % {"name": network.name},
            hint=_("Orders that need one there are refused. Add a subnet, or take addresses back."),
            link=f"/networks/{network.pk}",
        )
        for network in networks.order_by("name")
    ]
    yield from few(found, code="networks_used_up", link="/networks")
