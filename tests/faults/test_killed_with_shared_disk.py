"""Wherever the deletion of a server is cut whose disk others need: the disk stays, and that is said once."""

import pytest

from hosts.models import Volume
from panel.core.models import AuditEntry
from panel.core.operations import registered
from tests.faults.killing import recover, run_killed
from tests.services.shared_files import THEIRS, Scene
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_disk_that_others_need_stays_wherever_the_deletion_is_killed(deeds, settings):
    settings.CHECKPOINT_HOOK = "tests.faults.killing.hook"
    scene = Scene(deeds=deeds, host=deeds.host, customer=deeds.customer)
    scene.driver.pool_ensure(THEIRS)
    for name in registered()["guest.delete"].checkpoints():
        for side in ("before", "after"):
            guest, disk = scene.taken_over()
            scene.other(disk)
            job = scene.delete_ask(guest)
            run_killed(job, (name, side))
            recover(job)
            job.refresh_from_db()
            assert (job.status, job.error_message) == ("success", ""), (name, side)
            assert [disk.name in step["note"] for step in job.steps if step["note"]] == [True], (name, side)
            assert scene.has(disk), (name, side)
            assert not Volume.objects.filter(owner_id=guest.pk).exists()
            assert Guest.objects.get(pk=guest.pk).lifecycle == "deleted"
            told = AuditEntry.objects.filter(action="guest.delete.disk_left", object_id=guest.pk)
            assert told.count() == 1, (name, side)
