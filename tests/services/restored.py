"""A restored panel, without a backup: what it would not know is taken out, and the rest put right."""

from django.db import transaction

from hosts.models import IPAddress, Volume
from panel.core.backup.aftermath import put_right
from panel.core.models import Job
from vms.models import Guest
from vms.services.allocation import give_back


def restore_to_before(guest: Guest) -> set[str]:
    """Bring the database to what a restored backup of before this server would be. Returns the server's addresses."""
    addresses = set(IPAddress.objects.filter(owner_id=guest.pk).values_list("address", flat=True))
    with transaction.atomic():
        give_back(Guest.objects.get(pk=guest.pk))
        Volume.objects.filter(owner_id=guest.pk).delete()
        Guest.objects.filter(pk=guest.pk).delete()
        Job.objects.all().delete()
        put_right()
    return addresses
