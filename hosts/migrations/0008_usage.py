"""Tables of usage samples: rows of arrays, in partitions that are made ahead and dropped whole."""

from django.db import migrations

SERIES = {
    "guest": (
        "cpu_percent", "cpu_delay_percent", "memory_used_mib", "disk_read_bytes_per_s", "disk_write_bytes_per_s",
        "disk_read_ops_per_s", "disk_write_ops_per_s", "net_received_bytes_per_s", "net_sent_bytes_per_s",
    ),
    "host": ("cpu_percent", "cpu_delay_percent", "memory_used_mib"),
}  # fmt: skip


def _table(kind: str, resolution: str, ends: tuple[str, ...]) -> str:
    arrays = ", ".join(f"{name}{end} real[]" for name in SERIES[kind] for end in ends)
    return (
        f"CREATE TABLE usage_{kind}_{resolution} (subject_id uuid NOT NULL, start_at timestamptz NOT NULL, "
        f"covered_s real[] NOT NULL, {arrays}, PRIMARY KEY (subject_id, start_at)) PARTITION BY RANGE (start_at);"
    )


TABLES = "\n".join(
    _table(kind, resolution, ends)
    for kind in SERIES
    for resolution, ends in (("15s", ("",)), ("5m", ("", "_max")), ("1h", ("", "_max")))
)
BETTER = """
CREATE FUNCTION innkeeper_usage_better(old real[], new real[], old_s real[], new_s real[]) RETURNS real[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(CASE WHEN o IS NULL OR (n IS NOT NULL AND ns > os) THEN n ELSE o END ORDER BY place)
    FROM unnest(old, new, old_s, new_s) WITH ORDINALITY AS u(o, n, os, ns, place)
$$;
"""
# Rows of the coarser tables are filled slot by slot: room in their pages keeps that from touching the index.
PARTITIONS = """
CREATE FUNCTION innkeeper_usage_partitions() RETURNS void LANGUAGE plpgsql SET lock_timeout = '3s' AS $$
DECLARE
    one record;
    old record;
    low timestamp;
    name text;
    today timestamp := date_trunc('day', now() AT TIME ZONE 'UTC');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('innkeeper_usage_partitions'));
    FOR one IN SELECT 'usage_' || kind || '_' || resolution AS parent, unit, ahead, digits, kept, fill
               FROM unnest(ARRAY['guest', 'host']) AS kind CROSS JOIN (VALUES
                   ('15s', 'day', 3, 'YYYYMMDD', interval '1 day', 100),
                   ('5m', 'day', 3, 'YYYYMMDD', interval '31 days', 60),
                   ('1h', 'month', 1, 'YYYYMM', interval '731 days', 60)
               ) AS t(resolution, unit, ahead, digits, kept, fill)
    LOOP
        FOR step IN -1..one.ahead LOOP
            low := date_trunc(one.unit, today + step * ('1 ' || one.unit)::interval);
            name := one.parent || '_' || to_char(low, one.digits);
            IF to_regclass(name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = %s)',
                    name, one.parent, to_char(low, 'YYYY-MM-DD 00:00:00+00'),
                    to_char(low + ('1 ' || one.unit)::interval, 'YYYY-MM-DD 00:00:00+00'), one.fill);
            END IF;
        END LOOP;
        FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = one.parent::regclass
                     AND to_date(substring(c.relname FROM '[0-9]+$'), one.digits) + ('1 ' || one.unit)::interval
                         < (now() AT TIME ZONE 'UTC') - one.kept
        LOOP
            EXECUTE format('DROP TABLE %I', old.relname);
        END LOOP;
    END LOOP;
END $$;
SELECT innkeeper_usage_partitions();
"""
UNDO = "DROP FUNCTION innkeeper_usage_partitions, innkeeper_usage_better; DROP TABLE " + ", ".join(
    f"usage_{kind}_{resolution}" for kind in SERIES for resolution in ("15s", "5m", "1h")
)


class Migration(migrations.Migration):
    dependencies = [("hosts", "0007_watches")]
    operations = [migrations.RunSQL([TABLES, BETTER, PARTITIONS], UNDO)]
