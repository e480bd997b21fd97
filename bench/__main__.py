"""``make bench [NAME ...]``, as root: every benchmark, or those named. See docs/benchmarks.md for results."""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.stores import Postgres, Redis

HOSTS, GUESTS = 1000, 100_000


def main() -> int:
    """Run benchmarks one after the other; return the worst exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    wanted = parser.parse_args().names or list(BENCHMARKS)
    unknown = sorted(set(wanted) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    return max(BENCHMARKS[name]() for name in wanted)


def guest_list() -> int:
    """Fill a database of its own with a made-up fleet and read it through the API."""
    directory = Path(tempfile.mkdtemp(prefix="ikbench-", dir="/var/tmp"))
    directory.chmod(0o711)
    run_dir = Path("/run", f"ikb{secrets.token_hex(2)}")
    postgres = Postgres(directory=directory / "pg", sockets=run_dir / "pg")
    redis = Redis(directory=directory / "redis", socket=run_dir / "redis.sock")
    try:
        for store in (postgres, redis):
            store.start()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "panel.settings.test",
            "DATABASE_URL": postgres.database_make("bench"),
            "REDIS_URL": redis.url,
        }
        seed = ("manage.py", "seed_fleet", "--hosts", str(HOSTS), "--guests", str(GUESTS))
        for command in (("manage.py", "migrate", "-v", "0"), seed, ("-m", "bench.guest_list")):
            done = subprocess.run([sys.executable, *command], env=environment, check=False)
            if done.returncode:
                return done.returncode
        return 0
    finally:
        for store in (redis, postgres):
            store.stop()
        for path in (directory, run_dir):
            shutil.rmtree(path, ignore_errors=True)


def create_guest() -> int:
    """Build a lab and create real servers in it."""
    return subprocess.run([sys.executable, "-m", "bench.create_guest"], check=False).returncode


BENCHMARKS = {"guest_list": guest_list, "create_guest": create_guest}

if __name__ == "__main__":
    sys.exit(main())
