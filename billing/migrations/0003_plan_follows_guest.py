"""A subscription's plan is its guest's.

Changing a plan is a job. When that job fails, whoever records it puts the guest's numbers back, in whatever
process, and knows nothing of subscriptions; so the database keeps the two in step.
"""

from django.db import migrations

FOLLOW = """
CREATE FUNCTION billing_plan_follows_guest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing_subscription s SET plan_id = p.id
    FROM billing_plan p
    WHERE s.guest_id = NEW.id AND s.status = 'active' AND p.slug = NEW.plan_slug AND s.plan_id <> p.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_plan_follows AFTER UPDATE OF plan_slug ON vms_guest FOR EACH ROW
    WHEN (OLD.plan_slug IS DISTINCT FROM NEW.plan_slug) EXECUTE FUNCTION billing_plan_follows_guest();
"""
UNFOLLOW = """
DROP TRIGGER billing_plan_follows ON vms_guest;
DROP FUNCTION billing_plan_follows_guest();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_version_triggers"), ("vms", "0002_version_triggers")]
    operations = [migrations.RunSQL(FOLLOW, UNFOLLOW)]
