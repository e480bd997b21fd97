"""Serves the panel on a socket that is bound already, so that the server itself needs no privilege for its port.

Runs in the services' environment: ``python -m panel.setup.web_server FD [CERTIFICATE KEY]``.
"""

import socket
import sys

import uvicorn

_GRACE_S = 3  # event streams never end by themselves


def main(descriptor: str, *tls: str) -> None:
    certificate, key = tls or (None, None)
    config = uvicorn.Config(
        "panel.asgi:application",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        access_log=False,
        log_config=None,  # the panel's own: see LOGGING
        proxy_headers=False,  # nobody stands before it whose word about a client's address counts
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
