"""A container's directory is known by its whole path."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hosts", "0012_left_alone")]
    operations = [migrations.AlterField(model_name="volume", name="name", field=models.CharField(max_length=255))]
