"""What the database itself guarantees: versions rise, audit rows stay, audit months are partitions."""

from django.db import migrations

TOUCH = """
CREATE FUNCTION innkeeper_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - TG_ARGV) IS DISTINCT FROM (to_jsonb(OLD) - TG_ARGV) THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON core_user FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('last_login', 'version', 'updated_at');
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON core_customer FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('version', 'updated_at');
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON core_job FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('lease_until', 'sent_at', 'version', 'updated_at');
"""
AUDIT = """
ALTER TABLE core_auditentry RENAME TO core_auditentry_plain;
CREATE TABLE core_auditentry (LIKE core_auditentry_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (at);
DROP TABLE core_auditentry_plain;
ALTER TABLE core_auditentry ADD PRIMARY KEY (at, id);
CREATE INDEX core_audit_newest ON core_auditentry (at DESC, id DESC);
CREATE INDEX core_audit_of_customer ON core_auditentry (customer_id, at DESC, id DESC);
CREATE INDEX core_audit_of_object ON core_auditentry (object_id, at DESC);
CREATE TABLE core_auditentry_default PARTITION OF core_auditentry DEFAULT;

CREATE FUNCTION innkeeper_audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted';
END $$;
CREATE TRIGGER innkeeper_audit_keep BEFORE UPDATE OR DELETE ON core_auditentry FOR EACH ROW
    EXECUTE FUNCTION innkeeper_audit_keep();

CREATE FUNCTION innkeeper_audit_partitions(months_ahead int, months_kept int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date;
    old record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('innkeeper_audit_partitions'));
    FOR offset_months IN 0..months_ahead LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC')::date + make_interval(months => offset_months);
        IF to_regclass(format('core_auditentry_%s', to_char(month, 'YYYY_MM'))) IS NULL THEN
            EXECUTE format('CREATE TABLE core_auditentry_%s PARTITION OF core_auditentry FOR VALUES FROM (%L) TO (%L)',
                to_char(month, 'YYYY_MM'), to_char(month, 'YYYY-MM-DD 00:00:00+00'),
                to_char(month + interval '1 month', 'YYYY-MM-DD 00:00:00+00'));
        END IF;
    END LOOP;
    FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'core_auditentry'::regclass AND c.relname ~ '^core_auditentry_[0-9]{4}_[0-9]{2}$'
                 AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', now()) - make_interval(months => months_kept)
    LOOP
        EXECUTE format('DROP TABLE %I', old.relname);
    END LOOP;
END $$;
SELECT innkeeper_audit_partitions(2, 1200);
"""
CACHE = """
CREATE TABLE core_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
CREATE INDEX core_cache_expires ON core_cache (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        migrations.RunSQL(TOUCH, "DROP FUNCTION innkeeper_touch() CASCADE"),
        migrations.RunSQL(AUDIT, "DROP FUNCTION innkeeper_audit_keep() CASCADE; DROP FUNCTION innkeeper_audit_partitions"),
        migrations.RunSQL(CACHE, "DROP TABLE core_cache"),
    ]
