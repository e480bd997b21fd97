"""Running the panel's ``manage.py`` commands as the services' user."""

import json
import subprocess
from typing import IO

from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.reasons import explain_output


class ManageClient:
    """A process that runs commands; started by the first one. Use as a context manager."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> "ManageClient":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def call(self, *words: str) -> str:
        """Run one command and return what it printed.

        Raises:
            SetupError: it failed; with the last line it printed and the log's place.
        """
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
            reply = json.loads(process.stdout.readline() or "{}")
        except (OSError, ValueError):
            reply = {}
        if not reply.get("ok"):
            output = str(reply.get("output", "")).strip()
            said = explain_output(output) or (output.splitlines() or ["the panel's code does not start"])[-1]
            raise SetupError(f"manage.py {words[0]} failed: {said} (log: {self._context.log})")
        return str(reply["output"]).strip()

    def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        if self._log is not None:
            self._log.close()
        self._process = self._log = None

    def _started(self) -> "subprocess.Popen[str]":
        if self._process is None:
            layout = self._context.layout
            self._log = self._context.log.open("ab")
            self._process = subprocess.Popen(
                self._context.as_service([str(layout.python), "-m", "panel.setup.manage_server"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env=self._context.service_environment(),
                cwd=layout.code,
                start_new_session=True,
            )
        return self._process
