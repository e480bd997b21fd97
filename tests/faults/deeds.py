"""One way to ask for everything that a job can do, on a simulated host, again and again."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from hosts.models import Host
from hosts.operations import images as image_operations
from hosts.services.hosts import host_check
from hosts.services.images import image_build, image_copy_wanted
from panel.core.actors import SYSTEM
from panel.core.models import Customer, Job
from panel.core.operations import registered
from tests import factories
from tests.services.guests import order
from tests.simulated_fleet import Fleet, jobs_run
from vms.models import Guest
from vms.services import access
from vms.services.actions import guest_action_submit, seed_scrub
from vms.services.guests import guest_delete
from vms.services.resize import guest_resize
from vms.services.suspension import guest_suspend, guest_unsuspend
from vms.states import RULES, GuestAction, PowerState

ACTIONS = sorted(action for action in registered() if not action.startswith("test."))

_BUILDER = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])
out.mkdir(parents=True, exist_ok=True)
formats = {'kvm_disk': 'qcow2', 'kernel': 'raw', 'initrd': 'raw', 'lxc_root': 'raw'}
files = {role: {'file': role, 'format': form, 'sha256': str(number) * 64, 'size_bytes': 5, 'capacity_bytes': 5}
         for number, (role, form) in enumerate(formats.items())}
for file in files.values():
    (out / file['file']).write_bytes(b'12345')
(out / 'manifest.json').write_text(json.dumps({
    'name': 'Debian 12', 'os': 'debian', 'version': '12', 'boot': 'kernel', 'cloud_init': False,
    'host_types': ['kvm', 'lxc'], 'min_disk_gib': 1, 'min_memory_mib': 96, 'kernel_arguments': 'quiet',
    'files': files}))
"""


class Deeds:
    """Asks for actions on a host, each time on something new. What an action needs before is done first."""

    host_type = "kvm"

    def __init__(self, fleet: Fleet, host: Host, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fleet, self.host, self.customer, self._monkeypatch = fleet, host, customer, monkeypatch
        self.staff = factories.actor_make(factories.staff_make())
        self._count = 0
        self._own: dict[str, Callable[[], Job | None]] = {
            GuestAction.CREATE: lambda: order(self.customer, name=self._name(), host_type=self.host_type).job,
            GuestAction.DELETE: lambda: guest_delete(actor=self.staff, guest=self._running()),
            GuestAction.REBUILD: lambda: access.guest_rebuild(actor=self.staff, guest=self._running())[0],
            GuestAction.RESET_ROOT_PASSWORD: lambda: access.guest_reset_root_password(
                actor=self.staff, guest=self._running(), root_password=None
            )[0],
            GuestAction.RESIZE: lambda: guest_resize(
                actor=self.staff, guest=self._off(), vcpus=2, memory_mib=512, disk_gib=3
            ),
            GuestAction.SUSPEND: lambda: self._suspend(self._running()),
            GuestAction.UNSUSPEND: self._unsuspend,
            GuestAction.SCRUB_SEED: lambda: seed_scrub(guest=self._running(ssh_keys=())),
            "host.check": lambda: host_check(actor=self.staff, host=self.host),
            "image.copy": self._copy,
            "image.build": self._build,
        }

    def ask(self, action: str) -> Job:
        """Submit a job of this action. Those of guests that are not named here need no more than a guest."""
        job = self._own[action]() if action in self._own else self._act(GuestAction(action))
        assert job is not None
        return job

    def _act(self, action: GuestAction) -> Job:
        guest = self._running() if PowerState.RUNNING in RULES[action].power else self._off()
        return guest_action_submit(actor=self.staff, guest=guest, action=action)

    def _name(self) -> str:
        self._count += 1
        return f"web-{self._count}"

    def _running(self, **fields: Any) -> Guest:
        guest = order(self.customer, name=self._name(), host_type=self.host_type, **fields).guest
        return self._done(guest)

    def _off(self) -> Guest:
        guest = self._running()
        guest_action_submit(actor=self.staff, guest=guest, action=GuestAction.STOP)
        return self._done(guest)

    def _done(self, guest: Guest) -> Guest:
        assert [job.status for job in jobs_run()] == ["success"]
        guest.refresh_from_db()
        return guest

    def _suspend(self, guest: Guest) -> Job | None:
        return guest_suspend(actor=self.staff, guest=guest, reason="payment")

    def _unsuspend(self) -> Job | None:
        guest = self._running()
        self._suspend(guest)
        return guest_unsuspend(actor=self.staff, guest=self._done(guest))

    def _copy(self) -> Job | None:
        image = self.fleet.image(slug=f"image-{self._name()}")
        return image_copy_wanted(actor=self.staff, host=self.host, image=image, host_type="kvm")

    def _build(self) -> Job | None:
        key = self._name()
        builder = Path(settings.CACHE_DIR) / "builder"
        if not builder.exists():
            builder.write_text(f"#!{sys.executable}\n{_BUILDER}")
        builder.chmod(0o755)
        self._monkeypatch.setattr(image_operations.sys, "executable", str(builder))
        self._monkeypatch.setattr(image_operations, "recipe_key", lambda slug: key)
        return image_build(actor=SYSTEM, slug="debian-12", recipe_key=key)[1]
