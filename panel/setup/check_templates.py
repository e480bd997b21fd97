"""Compiles every template of the project: ``python -m panel.setup.check_templates``. Runs in the developers' venv."""

import sys
from pathlib import Path

import django
from django.template import TemplateSyntaxError
from django.template.engine import Engine
from django.template.loader import get_template
from django.template.utils import get_app_template_dirs


def main() -> int:
    """Return 1 after printing each template that does not compile."""
    django.setup()
    root = Path(__file__).resolve().parents[2]
    folders = [Path(folder) for folder in Engine.get_default().dirs]
    folders += [Path(folder) for folder in get_app_template_dirs("templates") if Path(folder).is_relative_to(root)]
    failures = 0
    for folder in (place for place in folders if not place.is_relative_to(root / ".venv")):
        for path in sorted(folder.rglob("*.*")):
            if path.is_file():
                failures += _fails(str(path.relative_to(folder)))
    return 1 if failures else 0


def _fails(name: str) -> bool:
    try:
        get_template(name)
    except TemplateSyntaxError as error:
        print(f"{name}: {error}")
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
