"""Where everything of one checkout lies. Two checkouts on one machine share nothing but the image cache."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from panel.setup.installations import Installation, installation_find

_OTHERS_ENTER = stat.S_IXOTH
_ID_LENGTH = 4


@dataclass(frozen=True)
class Layout:
    """Every place the set-up uses.

    Attributes:
        checkout: the clone.
        id: four hex digits of the clone's path; in the name of everything that the machine knows by name.
        state: what must survive: database, secrets, guests' disks, logs.
        cache: what can be made again: built images.
        run_dir: sockets and process ids; gone at a reboot.
        code: where the services run the code from: the checkout, or a copy when they cannot enter it.
    """

    checkout: Path
    id: str
    state: Path
    cache: Path
    run_dir: Path
    code: Path

    @property
    def installation(self) -> Installation:
        """What the machine remembers of it."""
        return Installation(self.id, str(self.checkout), str(self.state), str(self.cache))

    @property
    def venv(self) -> Path:
        return self.state / "venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pool(self) -> Path:
        return self.state / "pool"

    @property
    def records(self) -> Path:
        return self.state / "setup.json"

    @property
    def postgres_socket(self) -> Path:
        return self.run_dir / "postgres"

    @property
    def redis_socket(self) -> Path:
        return self.run_dir / "redis" / "redis.sock"

    @property
    def metrics(self) -> Path:
        """Where the processes write what they measure; emptied at every start."""
        return self.run_dir / "metrics"

    @property
    def bridge(self) -> str:
        return f"ink{self.id}"

    @property
    def table(self) -> str:
        return f"innkeeper_{self.id}"


def find_layout(checkout: Path, environment: Mapping[str, str]) -> Layout:
    """Return the places for ``checkout``.

    ``INNKEEPER_STATE`` and ``INNKEEPER_CACHE`` override the defaults; once set up, a checkout stays where it is.
    """
    checkout = checkout.resolve()
    identity = checkout_id(checkout)
    known = installation_find(identity, checkout)
    open_to_all = world_traversable(checkout)
    default = checkout / "var" if open_to_all else Path("/var/lib/innkeeper") / identity
    state = Path(environment.get("INNKEEPER_STATE") or (known.state if known else default)).absolute()
    cache = environment.get("INNKEEPER_CACHE") or (known.cache if known else "/var/cache/innkeeper")
    return Layout(
        checkout=checkout,
        id=identity,
        state=state,
        cache=Path(cache).absolute(),
        run_dir=Path(f"/run/innkeeper-{identity}"),
        code=checkout if open_to_all else state / "code",
    )


def checkout_id(checkout: Path) -> str:
    """Return four hex digits that stand for a checkout's path."""
    return hashlib.sha256(os.fsencode(checkout)).hexdigest()[:_ID_LENGTH]


def world_traversable(directory: Path) -> bool:
    """True when any user can reach files in ``directory``: it and every parent let others pass."""
    return all(place.stat().st_mode & _OTHERS_ENTER for place in (directory, *directory.parents))
