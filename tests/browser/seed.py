"""Fills an empty database with the demo and prints the ids that pages are opened by, as one line of JSON."""

import json

from tests.browser.demo import demo_make


def main() -> None:
    """Make the demo."""
    demo = demo_make()
    ids = {
        "customer": demo.customer.pk,
        "host": demo.host.pk,
        "slow_host": demo.slow_host.pk,
        "network": demo.network.pk,
        "guest": demo.guest.pk,
        "building": demo.building.pk,
        "broken": demo.broken.pk,
        "unwatched": demo.unwatched.pk,
        "unseen": demo.unseen.pk,
        "silent_host": demo.silent_host.pk,
        **{name: job.pk for name, job in demo.jobs.items()},
    }
    print(json.dumps({name: str(pk) for name, pk in ids.items()}))  # noqa: T201 - read by the parent process
