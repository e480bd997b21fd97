"""The internet of a lab: a namespace with a web server that says who asked, and the cable to it."""

from dataclasses import dataclass
from pathlib import Path

from lab.namespaces import address_add, cable, netns_make, netns_remove
from lab.processes import Process, call, wait_ready

ADDRESS_V4, ADDRESS_V6 = "198.51.100.2", "2001:db8:100::2"
_NEAR_V4, _NEAR_V6 = "198.51.100.1", "2001:db8:100::1"
_SERVER = """
import http.server, socket
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        peer = self.client_address[0].removeprefix("::ffff:").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(peer)))
        self.end_headers()
        self.wfile.write(peer)
Server(("::", 80), Handler).serve_forever()
"""


@dataclass
class Outside:
    """The namespace ``name``, joined to ``near``, the namespace of the hosts' uplink.

    It knows the way to the guests' subnets, as a neighbour on the same wire would: what keeps it out are the
    host's rules, not a missing route.
    """

    name: str
    near: str
    guests_v4: str
    guests_v6: str
    log: Path

    def start(self) -> None:
        """Raises: LabError."""
        netns_make(self.name)
        cable((self.near, "uplink"), (self.name, "wire"))
        address_add("uplink", f"{_NEAR_V4}/24", f"{_NEAR_V6}/64", netns=self.near)
        address_add("wire", f"{ADDRESS_V4}/24", f"{ADDRESS_V6}/64", netns=self.name)
        call(["ip", "route", "add", self.guests_v4, "via", _NEAR_V4], netns=self.name)
        call(["ip", "-6", "route", "add", self.guests_v6, "via", _NEAR_V6], netns=self.name)
        self._server = Process(["python3", "-c", _SERVER], log=self.log, netns=self.name)
        wait_ready(self._server, lambda: self.reaches("127.0.0.1", 80), name="The server outside")

    def stop(self) -> None:
        netns_remove(self.name)

    def reaches(self, address: str, port: int, *, timeout_s: float = 3) -> bool:
        """True when a TCP connection from outside is accepted."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), {timeout_s}); print('answered')"
        return call(["python3", "-c", code], netns=self.name, check=False).strip() == "answered"
