"""The trigger of a guest's version is not called when only what the collector notes is written; room for such updates."""

from django.db import migrations

TOUCH = """
CREATE FUNCTION innkeeper_touch_renew(target regclass, VARIADIC quiet text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    arguments text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attname <> ALL (quiet);
    SELECT string_agg(quote_literal(name), ', ') INTO arguments FROM unnest(quiet) AS name;
    EXECUTE format('DROP TRIGGER IF EXISTS innkeeper_touch ON %s', target);
    EXECUTE format('CREATE TRIGGER innkeeper_touch BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION '
                   'innkeeper_touch(%s)', columns, target, arguments);
END $$;
ALTER TABLE vms_guest SET (fillfactor = 80);
"""


class Migration(migrations.Migration):
    dependencies = [("vms", "0009_boot_indexes")]
    operations = [migrations.RunSQL(TOUCH, "DROP FUNCTION innkeeper_touch_renew")]
