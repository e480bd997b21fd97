"""What guests print while they boot: that they are ready, and their host keys. Read seeds are scrubbed."""

from collections.abc import Collection, Mapping
from uuid import UUID

from vms.models import Guest
from vms.services import console_tails
from vms.services.actions import seed_scrub


def boots_to_read(host_ids: Collection[UUID], *, late: bool) -> list[Guest]:
    """Return the guests whose consoles are to be read now, with ``late`` also some that take long to boot.

    On the way, seeds that were read and may hold a password's hash get a job that scrubs them.
    """
    for guest in console_tails.to_scrub(host_ids):
        seed_scrub(guest=guest)
    guests = console_tails.booting(host_ids)
    return guests + console_tails.late(host_ids) if late else guests


def consoles_write(guests: Collection[Guest], outputs: Mapping[UUID, bytes]) -> None:
    """Take from the consoles what is in them."""
    for guest in guests:
        if guest.pk in outputs:
            console_tails.console_read(guest=guest, output=outputs[guest.pk])
