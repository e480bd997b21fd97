"""Listening on an interface of the caller's network namespace: which frames arrive."""

import socket
import threading
from ipaddress import ip_address
from types import TracebackType

_EVERYTHING = 0x0003  # ETH_P_ALL of linux/if_ether.h


class Listener:
    """Collects the frames that arrive on an interface while it is entered."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING))
        self._socket.bind((interface, 0))
        self._socket.settimeout(0.2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.frames: list[bytes] = []

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def from_mac(self, mac: str) -> int:
        """Count frames that this hardware address sent."""
        return sum(frame[6:12] == bytes.fromhex(mac.replace(":", "")) for frame in self.frames)

    def naming(self, address: str) -> int:
        """Count frames in which somebody speaks as this address: IP, ARP and neighbour discovery."""
        packed = ip_address(address).packed
        places = {b"\x08\x00": (26,), b"\x08\x06": (28,), b"\x86\xdd": (22,)}
        spoken = sum(
            frame[at : at + len(packed)] == packed for frame in self.frames for at in places.get(frame[12:14], ())
        )
        advertised = (frame for frame in self.frames if frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a")
        return spoken + sum(frame[54:55] == b"\x88" and frame[62:78] == packed for frame in advertised)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                self.frames.append(self._socket.recv(2048))
            except TimeoutError:
                continue
