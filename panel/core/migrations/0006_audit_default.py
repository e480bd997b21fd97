"""Rows in the audit's default partition are moved to their months, which they would keep from being made."""

from django.db import migrations

MONTH = """
CREATE FUNCTION innkeeper_audit_month(month date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(format('core_auditentry_%s', to_char(month, 'YYYY_MM'))) IS NULL THEN
        EXECUTE format('CREATE TABLE core_auditentry_%s PARTITION OF core_auditentry FOR VALUES FROM (%L) TO (%L)',
            to_char(month, 'YYYY_MM'), to_char(month, 'YYYY-MM-DD 00:00:00+00'),
            to_char(month + interval '1 month', 'YYYY-MM-DD 00:00:00+00'));
    END IF;
END $$;
"""
PARTITIONS = """
CREATE OR REPLACE FUNCTION innkeeper_audit_partitions(months_ahead int, months_kept int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    month date;
    old record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('innkeeper_audit_partitions'));
    IF EXISTS (SELECT FROM core_auditentry_default) THEN
        ALTER TABLE core_auditentry DETACH PARTITION core_auditentry_default;
        FOR month IN SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM core_auditentry_default LOOP
            PERFORM innkeeper_audit_month(month);
        END LOOP;
        INSERT INTO core_auditentry SELECT * FROM core_auditentry_default;
        TRUNCATE core_auditentry_default;
        ALTER TABLE core_auditentry ATTACH PARTITION core_auditentry_default DEFAULT;
    END IF;
    FOR offset_months IN 0..months_ahead LOOP
        PERFORM innkeeper_audit_month(
            (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => offset_months))::date);
    END LOOP;
    FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'core_auditentry'::regclass AND c.relname ~ '^core_auditentry_[0-9]{4}_[0-9]{2}$'
                 AND to_date(right(c.relname, 7), 'YYYY_MM')
                     < date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => months_kept)
    LOOP
        EXECUTE format('DROP TABLE %I', old.relname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0005_token_networks")]
    operations = [
        migrations.RunSQL(MONTH, "DROP FUNCTION innkeeper_audit_month(date)"),
        migrations.RunSQL(PARTITIONS, migrations.RunSQL.noop),
    ]
