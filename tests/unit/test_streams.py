"""The live stream: a page hears that it is alive, so that it can notice when it is not."""

import asyncio
from typing import Any

from panel.core.actors import SYSTEM
from panel.live import streams
from panel.live.hub import Subscription


def test_a_quiet_stream_says_that_it_is_alive_as_data_not_as_a_comment(monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.02)
    sent: list[str] = []

    async def scenario() -> None:
        subscription = Subscription(lambda event: True)

        async def send(message: Any) -> None:
            sent.append(message.get("body", b"").decode())
            if sum("alive" in text for text in sent) >= 2:
                subscription.end()

        await asyncio.wait_for(streams.Stream({}, send, None, SYSTEM).run(subscription), 5)  # type: ignore[arg-type]

    asyncio.run(scenario())
    beats = [text for text in sent if "alive" in text]
    assert beats[:2] == ["event: alive\ndata: {}\n\n"] * 2
