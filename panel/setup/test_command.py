"""``make test``: hands over to the tests' own runner."""

import os
import subprocess
import sys

from panel.setup.layout import Layout


def run(layout: Layout, *, full: bool) -> int:
    """Run the tests of a checkout and return their exit status. Ctrl-C reaches the runner, which cleans up."""
    command = [sys.executable, "-B", "-m", "tests.runner", *(["--full"] if full else [])]
    with subprocess.Popen(command, cwd=layout.checkout, env=os.environ) as runner:
        while True:
            try:
                return runner.wait()
            except KeyboardInterrupt:
                continue  # it was sent to the runner too; wait until it is done
