from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('vms', '0004_boot_volumes'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='guest',
            index=models.Index(condition=models.Q(('deleted_at__isnull', False)), fields=['deleted_at'], name='vms_guest_departed'),
        ),
    ]
