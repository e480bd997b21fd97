from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0007_external_id_of_deleted'),
    ]

    operations = [
        migrations.AddField(
            model_name='idempotencyrecord',
            name='etag',
            field=models.CharField(blank=True, default='', max_length=40),
            preserve_default=False,
        ),
    ]
