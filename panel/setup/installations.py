"""Which checkouts of this machine are set up, and where each keeps its things.

One small file for each in ``/var/lib/innkeeper``: so ``INNKEEPER_STATE`` and ``INNKEEPER_CACHE`` need to be given once
only, and a checkout that chooses something for the machine sees what others have chosen, be they up or not.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from panel.setup.errors import SetupError

_FOLDER = Path("/var/lib/innkeeper")


@dataclass(frozen=True)
class Installation:
    """A checkout that was set up once."""

    id: str
    checkout: str
    state: str
    cache: str

    @property
    def exists(self) -> bool:
        """False when its clone or its data were deleted since."""
        return Path(self.checkout).is_dir() and Path(self.state).is_dir()


def installation_find(identity: str, checkout: Path) -> Installation | None:
    """Return what is known of a checkout; None when it was never set up, or its data are gone."""
    found = _load(_FOLDER / f"{identity}.json")
    return found if found and found.checkout == str(checkout) and found.exists else None


def installations() -> Iterator[Installation]:
    """Yield every one that still exists."""
    for path in sorted(_FOLDER.glob("*.json")):
        found = _load(path)
        if found and found.exists:
            yield found


def installation_save(installation: Installation) -> None:
    """Remember an installation.

    Raises:
        SetupError: another checkout has the same four digits (one pair in 65536 has).
    """
    path = _FOLDER / f"{installation.id}.json"
    known = _load(path)
    if known and known.exists and known.checkout != installation.checkout:
        raise SetupError(
            f"This clone and {known.checkout} would have the same names on this machine ({installation.id}): "
            "move this one to another folder."
        )
    _FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(installation), indent=1))
    partial.replace(path)


def _load(path: Path) -> Installation | None:
    try:
        return Installation(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
