"""Root passwords: made, checked and hashed; never stored, logged or passed as an argument."""

import secrets
import string
import subprocess

from panel.core.errors import InvalidInputError

_ALPHABET = string.ascii_letters + string.digits
MIN_LENGTH, MAX_LENGTH = 8, 128


def password_make() -> str:
    """Return a new password of 20 letters and digits (119 bits)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def password_check(password: str) -> None:
    """Refuse what a console or a shadow file could not carry.

    Raises:
        InvalidInputError: too short, too long, or not printable ASCII.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInputError(fields={"root_password": f"Use {MIN_LENGTH} to {MAX_LENGTH} characters."})
    if not (password.isascii() and password.isprintable()):
        raise InvalidInputError(fields={"root_password": "Use printable ASCII characters."})


def password_for(given: str | None, *, wanted: bool) -> str | None:
    """Return the password root gets: the caller's, checked; else a new one if one is wanted; else none.

    Raises:
        InvalidInputError: the caller's cannot be used.
    """
    if given is not None:
        password_check(given)
        return given
    return password_make() if wanted else None


def password_hash(password: str) -> str:
    """Return the SHA-512-crypt hash. The password travels on standard input, where no other user sees it."""
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
