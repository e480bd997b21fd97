"""Guests on a simulated host: ordered, and acted on."""

from hosts.models import Image, Volume
from panel.core.models import Customer, Job
from tests import factories
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.services import actions, guests
from vms.services.allocation import give_back
from vms.services.guests import GuestCreated
from vms.states import GuestAction


def order(customer: Customer, **changes) -> GuestCreated:
    """Ask for a small KVM guest."""
    fields = {
        "name": "web-1", "host_type": "kvm", "vcpus": 1, "memory_mib": 256, "disk_gib": 2,
        "image": Image.objects.get(slug="micro"), "ssh_keys": (factories.ED25519,),
    }  # fmt: skip
    actor = factories.actor_make(factories.member_make(customer))
    return guests.guest_create(actor=actor, customer=customer, **{**fields, **changes})


def act(guest: Guest, action: GuestAction) -> Job:
    """Submit an action and run it."""
    actor = factories.actor_make(factories.staff_make())
    actions.guest_action_submit(actor=actor, guest=guest, action=action)
    (job,) = jobs_run()
    guest.refresh_from_db()
    return job


def forgotten(guest: Guest) -> None:
    """Leave a guest on its host and nothing of it in the panel, as a restore to before it was made does."""
    give_back(Guest.objects.get(pk=guest.pk))
    Volume.objects.filter(owner_id=guest.pk).delete()
    Guest.objects.filter(pk=guest.pk).delete()
    Job.objects.all().delete()
