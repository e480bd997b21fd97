"""An open page, as far as its stream of live changes goes."""

import http.client
import json
import threading
import time

from lab.client import Api


class Page:
    """Notes when it hears of which guest, until the panel ends."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._heard: list[tuple[float, str]] = []
        self._opened = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        self._opened.wait(10)

    def heard(self, guest_id: str, *, since: float, within_s: float) -> float:
        """Return after how many seconds it heard of a guest."""
        while time.monotonic() < since + within_s:
            for at, known in reversed(self._heard):
                if known == guest_id and at >= since:
                    return at - since
            time.sleep(0.005)
        raise TimeoutError(guest_id)

    def _read(self) -> None:
        connection = http.client.HTTPConnection(self._api.host, self._api.port, timeout=60)
        connection.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {self._api.token}"})
        stream = connection.getresponse()
        for line in stream:
            self._opened.set()
            if line.startswith(b"data: ") and (told := json.loads(line[6:])).get("type") == "guest":
                self._heard.append((time.monotonic(), told["id"]))
