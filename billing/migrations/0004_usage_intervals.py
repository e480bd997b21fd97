"""What was used is written down when it changes, by the database: no way of changing a plan can forget it."""

import django.db.models.deletion
from django.db import migrations, models

TRACK = """
CREATE FUNCTION billing_track_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    open billing_usageinterval;
    former billing_usageinterval;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO billing_usageinterval (subscription_id, plan_id, starts_at, ends_at)
        VALUES (NEW.id, NEW.plan_id, NEW.created_at, CASE WHEN NEW.status = 'active' THEN NULL
                                                          ELSE greatest(NEW.terminated_at, NEW.created_at) END);
        RETURN NULL;
    END IF;
    SELECT * INTO open FROM billing_usageinterval WHERE subscription_id = NEW.id AND ends_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NEW.status <> 'active' THEN
        UPDATE billing_usageinterval SET ends_at = greatest(starts_at, coalesce(NEW.terminated_at, moment))
        WHERE id = open.id;
        RETURN NULL;
    END IF;
    IF NEW.plan_id = open.plan_id THEN
        RETURN NULL;
    END IF;
    SELECT * INTO former FROM billing_usageinterval
    WHERE subscription_id = NEW.id AND id <> open.id ORDER BY starts_at DESC, id DESC LIMIT 1;
    -- A change that failed was none: the job that made it puts the former plan back, and it goes on.
    IF former.plan_id = NEW.plan_id AND EXISTS (
        SELECT 1 FROM core_job j
        JOIN core_jobresource r ON r.job_id = j.id AND r.type = 'guest' AND r.resource_id = NEW.guest_id
        WHERE j.action = 'guest.resize' AND j.status <> 'success' AND j.created_at <= open.starts_at
          AND j.created_at >= former.starts_at
          AND NOT EXISTS (
              SELECT 1 FROM core_job later JOIN core_jobresource held ON held.job_id = later.id
              WHERE held.type = 'guest' AND held.resource_id = NEW.guest_id AND later.action = 'guest.resize'
                AND later.created_at > j.created_at)
    ) THEN
        DELETE FROM billing_usageinterval WHERE id = open.id;
        UPDATE billing_usageinterval SET ends_at = NULL WHERE id = former.id;
    ELSE
        moment := greatest(moment, open.starts_at);
        UPDATE billing_usageinterval SET ends_at = moment WHERE id = open.id;
        INSERT INTO billing_usageinterval (subscription_id, plan_id, starts_at) VALUES (NEW.id, NEW.plan_id, moment);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_usage_tracked AFTER INSERT OR UPDATE OF plan_id, status ON billing_subscription FOR EACH ROW
    EXECUTE FUNCTION billing_track_usage();
INSERT INTO billing_usageinterval (subscription_id, plan_id, starts_at, ends_at)
    SELECT id, plan_id, created_at, greatest(terminated_at, CASE WHEN terminated_at IS NOT NULL THEN created_at END)
    FROM billing_subscription;
"""
UNTRACK = """
DROP TRIGGER billing_usage_tracked ON billing_subscription;
DROP FUNCTION billing_track_usage();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_plan_follows_guest"), ("core", "0003_customer_deleted_at")]
    operations = [
        migrations.CreateModel(
            name="UsageInterval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                ("plan", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan")),
                ("subscription", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="intervals", to="billing.subscription")),
            ],
            options={
                "indexes": [models.Index(fields=["subscription", "starts_at"], name="billing_interval_of")],
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("ends_at__isnull", True)), fields=("subscription",), name="billing_interval_one_open"),
                    models.CheckConstraint(condition=models.Q(("ends_at__isnull", True), ("ends_at__gte", models.F("starts_at")), _connector="OR"), name="billing_interval_forward"),
                ],
            },
        ),
        migrations.RunSQL(TRACK, UNTRACK),
    ]
