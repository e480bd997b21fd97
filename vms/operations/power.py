"""Power: start, shutdown, stop, reboot, reset, suspend, unsuspend."""

from contextlib import suppress

from panel.core.errors import DriverError, InvalidStateError, PanelError
from panel.core.operations import Step, register
from vms.operations.base import GuestOperation
from vms.operations.specs import guest_spec
from vms.states import GuestAction

SHUTDOWN_WAIT_S = 60.0  # emulated machines are slow to go down


class ShutdownIgnoredError(PanelError):
    """The server did not react to the request within a minute and runs on."""

    code = "shutdown_ignored"


class StartsGuest(GuestOperation):
    """Shared by what starts a guest: the definition is brought up to date first."""

    def ensure_defined(self) -> None:
        """Make the host's configuration what it should be; a running guest keeps its own until it stops."""
        spec = guest_spec(self.guest)
        if not self.driver.domain_is_current(spec):
            self.driver.domain_define(spec)

    def ensure_started(self) -> None:
        """Boot it, or let a paused one go on."""
        if self.guest.suspensions.exists():
            raise InvalidStateError("The server is suspended.")
        self.driver.domain_start(self.guest.pk)
        self.driver.domain_resume(self.guest.pk)
        self.write(booted_at=None)
        self.observe()


@register
class GuestStart(StartsGuest):
    """Start a guest."""

    action = GuestAction.START
    kind = GuestAction.START
    steps = (Step("ensure_defined", "Check its configuration"), Step("ensure_started", "Start it", deadline_s=60))


@register
class GuestShutdown(GuestOperation):
    """Ask a guest to power off; never cuts the power."""

    action = GuestAction.SHUTDOWN
    kind = GuestAction.SHUTDOWN
    steps = (Step("ask", "Ask it to power off", deadline_s=SHUTDOWN_WAIT_S + 30),)

    def ask(self) -> None:
        went_down = self.driver.domain_shutdown(self.guest.pk, timeout_s=SHUTDOWN_WAIT_S)
        self.observe()
        if not went_down:
            raise ShutdownIgnoredError


@register
class GuestStop(GuestOperation):
    """Cut a guest's power."""

    action = GuestAction.STOP
    kind = GuestAction.STOP
    steps = (Step("ensure_stopped", "Cut the power"),)

    def ensure_stopped(self) -> None:
        self.stop_now()
        self.observe()


@register
class GuestReboot(StartsGuest):
    """Ask a guest to restart."""

    action = GuestAction.REBOOT
    kind = GuestAction.REBOOT
    steps = (Step("ask", "Ask it to restart", deadline_s=SHUTDOWN_WAIT_S + 60),)

    def ask(self) -> None:
        came_back = self.driver.domain_reboot(self.guest.pk, timeout_s=SHUTDOWN_WAIT_S)
        self.observe()
        if not came_back:
            raise ShutdownIgnoredError("The server did not react to the request within a minute and runs on.")
        self.write(booted_at=None)


@register
class GuestReset(GuestOperation):
    """Restart a guest at once, as by its reset button."""

    action = GuestAction.RESET
    kind = GuestAction.RESET
    steps = (Step("power_cycle", "Restart it at once", deadline_s=60),)

    def power_cycle(self) -> None:
        self.driver.domain_reset(self.guest.pk)
        self.write(booted_at=None)
        self.observe()


@register
class GuestSuspend(GuestOperation):
    """Stop a guest whose service is withheld: asked first, cut after half a minute."""

    action = GuestAction.SUSPEND
    kind = GuestAction.SUSPEND
    cancellable = False
    steps = (Step("ensure_stopped", "Stop it", deadline_s=60),)

    def ensure_stopped(self) -> None:
        if self.guest.lifecycle != "active" or not self.guest.suspensions.exists():
            return
        went_down = False
        with suppress(DriverError):  # nothing that the guest does to the request may keep it running
            went_down = self.driver.domain_shutdown(self.guest.pk, timeout_s=30)
        if not went_down:
            self.driver.domain_destroy(self.guest.pk)
        self.observe()


@register
class GuestUnsuspend(StartsGuest):
    """Start a guest again that ran before it was suspended."""

    action = GuestAction.UNSUSPEND
    kind = GuestAction.UNSUSPEND
    cancellable = False
    steps = (Step("ensure_defined", "Check its configuration"), Step("ensure_started", "Start it", deadline_s=60))

    def ensure_defined(self) -> None:
        if self.guest.lifecycle == "active":
            super().ensure_defined()

    def ensure_started(self) -> None:
        if self.guest.lifecycle == "active" and not self.guest.suspensions.exists():
            super().ensure_started()
