"""What comparisons have found."""

from vms.models import Difference


def found(*states: str) -> list[tuple[str, str, str]]:
    """Return kind, label and state of differences; without ``states`` of those that are open or suspected."""
    rows = Difference.objects.filter(state__in=states or ("open", "suspected")).order_by("kind", "label")
    return [(row.kind, row.label, row.state) for row in rows]


def only() -> Difference:
    """Return the one that is not closed."""
    return Difference.objects.exclude(state="closed").get()
