"""After ``git pull``: a panel that runs yet, from the code before, makes way for the new one."""

from panel.setup.code_copy import code_digest
from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.lock import running, stop


def make_way(layout: Layout) -> bool:
    """Stop a panel whose code is not the clone's any more. Returns False when one runs that may go on.

    Jobs at work are cut and go on in the new workers; servers run on.

    Raises:
        SetupError: another ``make up`` is still setting up.
    """
    owner = running(layout)
    if owner is None:
        return True
    if not (layout.run_dir / "ready").exists():
        raise SetupError(f"Another make up (process {owner.pid}) is still setting up; wait for it, or make stop.")
    if code_noted(layout) == code_digest(layout.checkout):
        return False
    print("The code has changed since the panel was started: stopping the old one first …", flush=True)
    stop(layout)
    return True


def code_note(layout: Layout) -> None:
    """Note which code this run is of. Before any of it is copied or run, so that a change meanwhile shows."""
    (layout.run_dir / "code").write_text(code_digest(layout.checkout))


def code_noted(layout: Layout) -> str:
    """Return what ``code_note`` wrote last; an empty string when nothing did."""
    try:
        return (layout.run_dir / "code").read_text()
    except FileNotFoundError:
        return ""
