"""What ``make up`` says when the panel is up."""

import os

from panel.setup.listen import Listen
from panel.setup.tls import main_address


def where_words(listen: Listen, *, fingerprint: str) -> str:
    """Return the lines that say how to reach the panel; ``fingerprint`` is its certificate's."""
    if listen.is_loopback:
        tunnel = f"{listen.port}:{listen.host}:{listen.port}"
        return f"  Panel     {listen.url()}\n  From afar ssh -L {tunnel} root@{main_address() or 'THIS-MACHINE'}"
    return (
        f"  Panel     {listen.url(main_address() if listen.is_any else '')}\n"
        f"  SHA-256   {fingerprint}\n"
        "            of its self-signed certificate: compare it when the browser asks"
    )


def password_show(said: str, *, to: int | None) -> None:
    """Show the login that ``first_admin`` made, "E-MAIL PASSWORD", on the screen.

    Standard output may be a log, so a caller that reads along gives a pipe ``to`` write to instead.
    """
    email, _, password = said.partition(" ")
    lines = f"  Sign in   {email}\n  Password  {password}   (shown only now; a new one: make admin-password)\n"
    if to is None:
        print(lines, end="", flush=True)
        return
    try:
        os.write(to, lines.encode())
    except OSError:  # whoever waited for it has gone
        print(f"  Sign in   {email}\n  Password  could not be handed over: make admin-password", flush=True)
