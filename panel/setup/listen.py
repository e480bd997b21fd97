"""The address the web server listens on: ``LISTEN=[http://|https://]HOST:PORT``."""

import errno
import ipaddress
import socket
from dataclasses import dataclass

from panel.setup.errors import SetupError

_BACKLOG = 2048  # as uvicorn's own
DEFAULT = "127.0.0.1:8000"
_HELP = f"LISTEN is ADDRESS:PORT, for example LISTEN={DEFAULT} or LISTEN=[::]:443"


@dataclass(frozen=True)
class Listen:
    """One address and port. Off the loopback it is always TLS: passwords never cross a network in clear."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def is_any(self) -> bool:
        return ipaddress.ip_address(self.host).is_unspecified

    def url(self, name: str = "") -> str:
        """Return the panel's address, with ``name`` in place of the one listened on."""
        host = name or self.host
        scheme, usual = ("http", 80) if self.is_loopback else ("https", 443)
        authority = f"[{host}]" if ":" in host else host
        return f"{scheme}://{authority}/" if self.port == usual else f"{scheme}://{authority}:{self.port}/"


def parse_listen(text: str) -> Listen:
    """Read ``LISTEN``; empty is the default.

    Raises:
        SetupError: it is no address and port, or asks for plain HTTP where others can listen.
    """
    scheme, separator, rest = (text or DEFAULT).rpartition("://")
    host, colon, port = rest.rstrip("/").rpartition(":")
    host = host.strip("[]").replace("localhost", "127.0.0.1") or "0.0.0.0"  # noqa: S104 - asked for as ":PORT"
    try:
        listen = Listen(str(ipaddress.ip_address(host)), int(port))
    except ValueError:
        raise SetupError(f"“{text}” cannot be listened on. {_HELP}.") from None
    if not colon or not 0 < listen.port < 65536 or (separator and scheme not in ("http", "https")):
        raise SetupError(f"“{text}” cannot be listened on. {_HELP}.")
    if scheme == "http" and not listen.is_loopback:
        raise SetupError("Plain HTTP is served on the loopback address only; leave http:// out and TLS is set up.")
    if scheme == "https" and listen.is_loopback:
        raise SetupError("On the loopback address the panel speaks plain HTTP; leave https:// out.")
    return listen


def bind(listen: Listen) -> socket.socket:
    """Bind the address and listen now, so that nobody takes it while the set-up runs.

    Listening is what keeps it: two programs may both have bound an address of which neither listens yet. Who connects
    meanwhile waits for the web server.

    Raises:
        SetupError: nobody can listen there now; the sentence says why and what to do.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        bound.bind((listen.host, listen.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise SetupError(_sentence(listen, error)) from error
    return bound


def _sentence(listen: Listen, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {listen.port} on {listen.host} is in use by another program; "
            f"stop that, or choose another port: make up LISTEN={listen.host}:{listen.port + 1}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {listen.host}; choose one of its own with LISTEN=ADDRESS:PORT."
    return f"The panel cannot listen on {listen.host}:{listen.port}: {error.strerror}."
