"""The one error of the set-up: something the person at the terminal can act on."""


class SetupError(Exception):
    """Set-up cannot go on. ``str(error)`` is one sentence that says what to do; it is shown without a traceback."""
