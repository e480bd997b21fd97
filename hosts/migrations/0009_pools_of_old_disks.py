"""Pools that have only disks which were taken over get no new guests."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hosts", "0008_usage")]
    operations = [
        migrations.AddField(
            model_name="storagepool", name="for_new_guests", field=models.BooleanField(default=True)
        ),
    ]
