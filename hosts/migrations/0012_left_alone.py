"""Disks that are taken over and left alone are marked: until now those were the block devices, by their path."""

from typing import Any

from django.db import migrations, models
from django.db.models import Q


def mark(apps: Any, _schema_editor: Any) -> None:
    """Mark what was left alone so far."""
    of_devices = Q(path="/dev") | Q(path__startswith="/dev/")
    pools = apps.get_model("hosts", "StoragePool").objects.filter(of_devices)
    apps.get_model("hosts", "Volume").objects.filter(pool__in=pools).update(left_alone=True)
    pools.update(left_alone=True)


class Migration(migrations.Migration):
    dependencies = [("hosts", "0011_uncompared_since")]
    operations = [
        migrations.AddField(model_name="storagepool", name="left_alone", field=models.BooleanField(default=False)),
        migrations.AddField(model_name="volume", name="left_alone", field=models.BooleanField(default=False)),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
