"""Runs ``manage.py`` commands one after the other in one process: Django is loaded once, not for every step.

Runs in the services' environment, not with the system's Python. Each line of standard input is a JSON list of words;
each reply a JSON object ``{"ok", "output"}``. Logging goes to standard error.
"""

import io
import json
import sys
import traceback

import django
from django.core.management import CommandError, call_command


def main() -> None:
    django.setup()
    for line in sys.stdin:
        name, *words = json.loads(line)
        print(json.dumps(_call(name, words)), flush=True)


def _call(name: str, words: list[str]) -> dict[str, object]:
    output = io.StringIO()
    try:
        call_command(name, *words, stdout=output, stderr=output, no_color=True)
    except (CommandError, SystemExit) as error:
        return {"ok": False, "output": f"{output.getvalue()}{error}"}
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller must hear of it
        traceback.print_exc()
        return {"ok": False, "output": f"{type(error).__name__}: {error}"}
    return {"ok": True, "output": output.getvalue()}


if __name__ == "__main__":
    main()
