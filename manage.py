#!/usr/bin/env python3
"""Django's command line."""

import os
import sys

OF_THE_INSTALLATION = ("backup", "restore")

if __name__ == "__main__":
    if "DATABASE_URL" not in os.environ and sys.argv[1:2] and sys.argv[1] in OF_THE_INSTALLATION:
        # By hand, beside a panel that make up has set up: with its Python and its database.
        from panel.setup.command_line import main

        sys.exit(main(["manage", *sys.argv[1:]]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.production")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
