"""``python3 -m panel.setup COMMAND``: what the Makefile calls. Runs on the system's Python, before anything exists."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the sentence is for those who have an older one
    sys.exit(
        f"Innkeeper needs Python 3.11 or later and this is {sys.version_info[0]}.{sys.version_info[1]}: "
        "use Debian 12 or later, or make up PYTHON=/path/to/python3.11"
    )

from panel.setup.command_line import main

sys.exit(main(sys.argv[1:]))
