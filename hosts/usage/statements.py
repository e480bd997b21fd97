"""The SQL of ``store``. Table and column names come from ``kinds`` and from nowhere else."""

from functools import cache

from hosts.usage.kinds import Kind
from hosts.usage.resolutions import COARSE, FINE, MEDIUM, Resolution


def _columns(kind: Kind) -> str:
    return ", ".join(("subject_id", "start_at", "covered_s", *kind.series))


@cache
def copy_in(kind: Kind, table: str) -> str:
    """Return the COPY that reads rows of the finest table."""
    return f"COPY {table} ({_columns(kind)}) FROM STDIN"


@cache
def incoming(kind: Kind) -> str:
    """Return the statement that makes a table for rows some of which are there already."""
    return f"CREATE TEMPORARY TABLE usage_incoming (LIKE {kind.table(FINE.name)})"


@cache
def merge(kind: Kind) -> str:
    """Return the statement that takes ``usage_incoming`` in: of two samples of one slot the one that covers more."""
    table = kind.table(FINE.name)
    samples = ", ".join(
        f"{name} = innkeeper_usage_better(t.{name}, EXCLUDED.{name}, t.covered_s, EXCLUDED.covered_s)"
        for name in ("covered_s", *kind.series)
    )
    return (
        f"INSERT INTO {table} AS t ({_columns(kind)}) SELECT {_columns(kind)} FROM usage_incoming "  # noqa: S608
        f"ORDER BY subject_id ON CONFLICT (subject_id, start_at) DO UPDATE SET {samples}"
    )


@cache
def roll_up(kind: Kind, medium_slot: int, coarse_slot: int) -> str:
    """Return the statement that computes the five minutes of a window, and the hour that these belong to.

    Slots count from 1. Takes ``subjects`` and ``start``, and where the coarser rows begin: ``medium``, ``coarse``.
    """
    fine = tuple((name, name) for name in kind.series)
    medium = tuple((name, f"{name}_max") for name in kind.series)
    return f"""
        WITH medium AS (
            INSERT INTO {kind.table(MEDIUM.name)} AS t ({_rolled_columns(kind)})
            SELECT r.subject_id, %(medium)s, {_only_slot(kind, MEDIUM, medium_slot)}
            FROM {kind.table(FINE.name)} r CROSS JOIN LATERAL ({_summed_up(fine)}) m
            WHERE r.subject_id = ANY(%(subjects)s) AND r.start_at = %(start)s ORDER BY r.subject_id
            {_set_slot(kind, medium_slot)} RETURNING t.*)
        INSERT INTO {kind.table(COARSE.name)} AS t ({_rolled_columns(kind)})
        SELECT r.subject_id, %(coarse)s, {_only_slot(kind, COARSE, coarse_slot)}
        FROM medium r CROSS JOIN LATERAL ({_summed_up(medium)}) m ORDER BY r.subject_id
        {_set_slot(kind, coarse_slot)}"""  # noqa: S608


def _rolled(kind: Kind) -> list[str]:
    return ["covered_s", *(f"{name}{end}" for name in kind.series for end in ("", "_max"))]


def _rolled_columns(kind: Kind) -> str:
    return ", ".join(("subject_id", "start_at", *_rolled(kind)))


def _only_slot(kind: Kind, resolution: Resolution, slot: int) -> str:
    """Return an array for each column that has nothing but one slot."""
    before, after = "NULL," * (slot - 1), ",NULL" * (resolution.slots - slot)
    return ", ".join(f"ARRAY[{before}m.{name}{after}]::real[]" for name in _rolled(kind))


def _set_slot(kind: Kind, slot: int) -> str:
    slots = ", ".join(f"{name}[{slot}] = EXCLUDED.{name}[{slot}]" for name in _rolled(kind))
    return f"ON CONFLICT (subject_id, start_at) DO UPDATE SET {slots}"


def _summed_up(sources: tuple[tuple[str, str], ...]) -> str:
    """Return the query that sums the row ``r`` up: means weighted by covered time, and the highest."""
    names = [mean for mean, _ in sources]
    inputs = list(dict.fromkeys(name for pair in sources for name in pair))
    known = ", ".join(
        f"sum(u.{name}::float8 * u.covered_s) / nullif(sum(u.covered_s) FILTER (WHERE u.{name} IS NOT NULL), 0) "
        f"AS {name}, max(u.{most}) AS {name}_max"
        for name, most in zip(names, (most for _, most in sources), strict=True)
    )
    arrays = ", ".join(f"r.{name}" for name in ("covered_s", *inputs))
    return (
        f"SELECT sum(u.covered_s) AS covered_s, {known} "  # noqa: S608
        f"FROM unnest({arrays}) AS u(covered_s, {', '.join(inputs)})"
    )
