import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

KNOWN = """
INSERT INTO core_tokennetwork (token_id, network, first_used_at)
SELECT id, CASE WHEN family(last_used_address) = 6 THEN network(set_masklen(last_used_address, 64))::text
           ELSE host(last_used_address) END, COALESCE(last_used_at, now())
FROM core_apitoken WHERE last_used_address IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0004_user_made_for'),
    ]

    operations = [
        migrations.CreateModel(
            name='TokenNetwork',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network', models.CharField(max_length=43)),
                ('first_used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('token', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='networks', to='core.apitoken')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('token', 'network'), name='core_tokennetwork_once')],
            },
        ),
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
    ]
