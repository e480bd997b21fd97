"""``make bench [NAME ...]``, as root: every benchmark, or those named. See docs/benchmarks.md for results."""

import argparse
import os
import subprocess
import sys

from bench.stores import python, seed_fleet, stores_lent


def main() -> int:
    """Run benchmarks one after the other; return the worst exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all but soak")
    wanted = parser.parse_args().names or [name for name in BENCHMARKS if name != "soak"]
    unknown = sorted(set(wanted) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    worst = 0
    for name in wanted:
        try:
            BENCHMARKS[name]()
        except subprocess.CalledProcessError as error:
            worst = max(worst, error.returncode)
    return worst


def guest_list() -> None:
    """Fill a database of its own with a made-up fleet and read it through the API."""
    with stores_lent() as environment:
        seed_fleet(environment, hosts=1000, guests=100_000)
        python(environment, "-m", "bench.guest_list")


def create_guest() -> None:
    """Build a lab and create real servers in it."""
    subprocess.run([sys.executable, "-m", "bench.create_guest"], check=True)


def sweep() -> None:
    """Have a collector watch 300 simulated hosts with 100 guests each, then let one of them hang."""
    with stores_lent() as environment:
        seed_fleet(environment, hosts=300, guests=30_000)
        python(environment, "-m", "bench.sweep")


def usage_samples() -> None:
    """Record a quarter of an hour of samples of 300 hosts with 100 guests each."""
    with stores_lent() as environment:
        python(environment, "-m", "bench.usage_samples")


def live() -> None:
    """Let guests stop on their hosts and see when a page hears of it; then let a host of ten hang."""
    python({**os.environ, "DJANGO_SETTINGS_MODULE": "panel.settings.test"}, "-m", "bench.live")


def orders() -> None:
    """Order servers on a hundred simulated hosts: one by one, ten a second, a thousand at once."""
    python({**os.environ, "DJANGO_SETTINGS_MODULE": "panel.settings.test"}, "-m", "bench.orders")


def soak() -> None:
    """Work for half an hour and compare what every process holds."""
    python({**os.environ, "DJANGO_SETTINGS_MODULE": "panel.settings.test"}, "-m", "bench.soak")


BENCHMARKS = {
    "guest_list": guest_list,
    "create_guest": create_guest,
    "sweep": sweep,
    "live": live,
    "usage_samples": usage_samples,
    "orders": orders,
    "soak": soak,
}

if __name__ == "__main__":
    sys.exit(main())
