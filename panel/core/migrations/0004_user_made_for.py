import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_customer_deleted_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='made_for',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='core.customer'),
        ),
    ]
