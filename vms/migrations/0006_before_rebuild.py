"""What a rebuild that touched nothing puts back."""

import django.core.serializers.json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vms", "0005_departed_index")]

    operations = [
        migrations.AddField(
            model_name="guest",
            name="before_rebuild",
            field=models.JSONField(
                blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
            ),
        ),
    ]
