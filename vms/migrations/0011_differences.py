"""What the panel, its hosts and billing do not agree on; and servers that were taken over."""

import django.core.serializers.json
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


TOUCH = """
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON vms_difference FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('last_seen_at', 'proofs', 'proved_at', 'version', 'updated_at');
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_idempotency_etag'),
        ('hosts', '0009_pools_of_old_disks'),
        ('vms', '0010_quiet_updates'),
    ]

    operations = [
        migrations.AddField(
            model_name='guest',
            name='domain_name',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.CreateModel(
            name='Comparison',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('began_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True)),
                ('connection', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='comparison', to='hosts.hostconnection')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Difference',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('version', models.PositiveIntegerField(db_default=1, editable=False)),
                ('kind', models.CharField(choices=[('domain-without-guest', 'Domain without guest'), ('guest-without-domain', 'Guest without domain'), ('wrong-size', 'Wrong size'), ('wrong-network', 'Wrong network'), ('filter-missing', 'Filter missing'), ('configuration-changed', 'Configuration changed'), ('volume-without-owner', 'Volume without owner'), ('volume-missing', 'Volume missing'), ('address-not-allocated', 'Address in use but not allocated'), ('address-without-guest', 'Address allocated without guest'), ('total-wrong', 'Total not equal to the sum'), ('subscription-without-guest', 'Subscription without guest'), ('guest-of-ended-subscription', 'Guest of an ended subscription'), ('automatic-stopped', 'Automatic repair stopped')], max_length=32)),
                ('severity', models.CharField(choices=[('high', 'High'), ('medium', 'Medium'), ('low', 'Low')], max_length=8)),
                ('state', models.CharField(choices=[('suspected', 'Suspected'), ('open', 'Open'), ('ignored', 'Ignored'), ('closed', 'Closed')], default='open', max_length=12)),
                ('key', models.CharField(max_length=200)),
                ('host_type', models.CharField(blank=True, max_length=8)),
                ('object_type', models.CharField(max_length=16)),
                ('object_id', models.UUIDField(null=True)),
                ('label', models.CharField(max_length=255)),
                ('expected', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('found', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('last_seen_at', models.DateTimeField()),
                ('proofs', models.PositiveSmallIntegerField(default=0)),
                ('proved_at', models.DateTimeField(null=True)),
                ('ignored_by', models.CharField(blank=True, max_length=254)),
                ('ignored_reason', models.CharField(blank=True, max_length=255)),
                ('ignored_at', models.DateTimeField(null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_how', models.CharField(blank=True, max_length=32)),
                ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='core.customer')),
                ('host', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='differences', to='hosts.host')),
            ],
            options={
                'indexes': [models.Index(models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='vms_difference_newest'), models.Index(fields=['host', 'state'], name='vms_difference_of_host')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'closed'), _negated=True), fields=('key',), name='vms_difference_once')],
            },
        ),
        migrations.RunSQL(TOUCH, migrations.RunSQL.noop),
    ]
