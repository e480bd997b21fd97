"""A guest that was ordered through the API, as its customer sees it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.client import Api
from lab.guest import KeyPair, Login
from lab.processes import LabError

READY_TIMEOUT_S = 180.0


@dataclass
class Server:
    """A guest that was ordered through the API."""

    api: Api
    id: str
    order: dict[str, Any] = field(repr=False)
    key: KeyPair | None = None

    def now(self) -> dict[str, Any]:
        """Return the guest as the API shows it now."""
        found: dict[str, Any] = self.api.get(f"/guests/{self.id}")
        return found

    def address(self, family: int = 4) -> str:
        return next(a["address"] for a in self.order["guest"]["addresses"] if a["family"] == family)

    @property
    def mac(self) -> str:
        return str(self.order["guest"]["addresses"][0]["mac"])

    def login(self, family: int = 4) -> Login:
        """Return root's way in: the key it was ordered with, else its password."""
        return Login(self.address(family), key=self.key, password=self.order.get("root_password") or "")

    def act(self, action: str, **body: Any) -> dict[str, Any]:
        """Ask for an action and wait for its success; return the job."""
        return self.api.done(self.api.post(f"/guests/{self.id}/actions/{action}", body))

    def delete(self) -> None:
        self.api.done(self.api.delete(f"/guests/{self.id}"))

    def wait_login_after(self, seconds: float) -> Login:
        """Wait so long, then until root can log in."""
        time.sleep(seconds)
        return self.wait_login()

    def wait_login(self, *, timeout_s: float = READY_TIMEOUT_S) -> Login:
        """Wait until root can log in."""
        wait_until(self.login().works, f"login to {self.now()['name']}", timeout_s=timeout_s)
        return self.login()


def wait_until(condition: Callable[[], Any], what: str, *, timeout_s: float = 60, poll_s: float = 0.3) -> float:
    """Wait for a condition and return the seconds it took. Raises: LabError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise LabError(f"{what}: not within {timeout_s} s")
        time.sleep(poll_s)
    return time.monotonic() - began
