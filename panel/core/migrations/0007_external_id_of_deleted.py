from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0006_audit_default'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='customer',
            name='core_customer_external_id',
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.UniqueConstraint(condition=models.Q(('deleted_at__isnull', True)), fields=('client', 'external_id'), name='core_customer_external_id'),
        ),
    ]
