"""The set-up's commands."""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.layout import Layout, find_layout
from panel.setup.reasons import explain_error

_CHECKOUT = Path(__file__).resolve().parents[2]
_INTERRUPTED = 130
_OF_ROOT = {
    "up": "make up needs root, since it makes networks and starts servers",
    "stop": "make stop needs root, since the panel's processes are root's",
    "down": "make down needs root, since it stops servers and removes networks",
    "manage": "This needs root, since the panel's secrets are its own",
}


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status. Expected errors are one sentence on standard error."""
    options = _parser().parse_args(arguments)
    os.umask(0o022)
    try:
        _check_privilege(options.command)
        return _run(options, find_layout(_CHECKOUT, os.environ))
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"\n{explain_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted; make {options.command} continues where it was.", file=sys.stderr)
        return _INTERRUPTED


def _check_privilege(command: str) -> None:
    if command in _OF_ROOT and os.geteuid() != 0:
        raise SetupError(f"{_OF_ROOT[command]}: run it as root or with sudo.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m panel.setup", description="Set up and run Innkeeper here.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="set up what is missing and run the panel")
    up.add_argument("--detach", action="store_true", help="return when the panel is up and leave it running")
    up.add_argument("--password-to", type=int, metavar="FD", help="write the first password here, not on the screen")
    commands.add_parser("stop", help="stop the panel; servers run on")
    commands.add_parser("status", help="say what runs")
    commands.add_parser("down", help="stop everything and take the machine's network back")
    manage = commands.add_parser("manage", help="run a manage.py command of the installed panel")
    manage.add_argument("words", nargs=argparse.REMAINDER)
    commands.add_parser("check", help="linters, types, imports, migrations, templates, OpenAPI")
    bench = commands.add_parser("bench", help="run the benchmarks")
    bench.add_argument("words", nargs=argparse.REMAINDER)
    test = commands.add_parser("test", help="run the tests")
    test.add_argument("--full", action="store_true", help="also the uncapped matrices")
    return parser


def _run(options: argparse.Namespace, layout: Layout) -> int:
    """Import the command's own modules only: each must work while another's are being changed."""
    if options.command == "up":
        return _up(layout, options)
    if options.command == "down":
        from panel.setup.down import down

        down(layout, os.environ)
    elif options.command in ("stop", "status", "manage"):
        from panel.setup import installed

        return installed.COMMANDS[options.command](layout, options)
    elif options.command == "check":
        from panel.setup.check import check

        return check(layout.checkout)
    elif options.command == "bench":
        from panel.setup.check import development_environment

        python = development_environment(layout.checkout) / "bin" / "python"
        return subprocess.run([python, "-m", "bench", *options.words], cwd=layout.checkout, check=False).returncode
    elif options.command == "test":
        return int(importlib.import_module("panel.setup.test_command").run(layout, full=options.full))
    return 0


def _up(layout: Layout, options: argparse.Namespace) -> int:
    from panel.setup import detached, up

    if options.detach:
        return detached.up_detached(layout, os.environ)
    up.up(layout, os.environ, password_to=options.password_to)
    return 0
