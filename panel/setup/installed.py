"""Commands for a panel that is set up: stop it, ask it, run its ``manage.py``."""

import argparse
import os
import subprocess
import sys

from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.listen import parse_listen
from panel.setup.lock import running, stop
from panel.setup.manage_client import ManageClient
from panel.setup.panel_services import PROCESSES
from panel.setup.steps import Records
from panel.setup.supervisor import registered

_OF_FILES = ("backup", "restore")


def _stop(layout: Layout, options: argparse.Namespace) -> int:
    print("Stopped; servers run on." if stop(layout) else "Innkeeper does not run.")
    return 0


def _status(layout: Layout, options: argparse.Namespace) -> int:
    """Print one line for each process. Returns 3 when the panel does not run, as service managers do."""
    owner = running(layout)
    if owner is None:
        print("Innkeeper does not run.")
        return 3
    print(f"{'make up':<12} process {owner.pid}")
    for name, ref in registered(layout.run_dir / "services.json").items():
        print(f"{name:<12} {f'process {ref.pid}' if ref.is_alive() else 'not running'}")
    if not (layout.run_dir / "ready").exists():
        print("It is still being set up.")
        return 3
    return 0


def _manage(layout: Layout, options: argparse.Namespace) -> int:
    """Run a command of the panel and print what it printed."""
    context = Context(layout, Records.load(layout.records), os.environ, parse_listen(os.environ.get("LISTEN", "")))
    if not layout.python.exists() or (context.own_postgres and running(layout) is None):
        raise SetupError("Innkeeper does not run here: start it with make up, then try again in a second terminal.")
    words = [word for word in options.words if word != "--"]
    if words and words[0] in _OF_FILES:
        return _with_files(context, words)
    with ManageClient(context) as client:
        said = client.call(*words)
    if said:
        sys.stdout.write(f"{said}\n")
    return 0


def _with_files(context: Context, words: list[str]) -> int:
    """Run ``backup`` or ``restore`` as root, who may read and write the caller's files, and where the caller stands.

    After a restore the panel's processes are ended: their supervisor starts them again, with the restored secrets.
    """
    layout = context.layout
    command = [str(layout.python), str(layout.code / "manage.py"), *words]
    environment = context.service_environment() | {
        name: value for name, value in os.environ.items() if name.startswith("INNKEEPER_BACKUP_")
    }
    environment["LOG_LEVEL"] = "WARNING"
    done = subprocess.run(command, env=environment, check=False).returncode
    if done == 0 and words[0] == "restore":
        for name, process in registered(layout.run_dir / "services.json").items():
            if name in PROCESSES and process.is_alive():
                process.end(timeout_s=15)
        print("The panel's processes start again by themselves.")
    return done


COMMANDS = {"stop": _stop, "status": _status, "manage": _manage}
