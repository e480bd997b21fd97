"""PostgreSQL and Redis of a benchmark's own, with a made-up fleet in them."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.stores import Postgres, Redis


@contextmanager
def stores_lent() -> Iterator[dict[str, str]]:
    """Lend running stores with the panel's tables; yields the environment of processes that use them."""
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
            "BENCH_DIR": str(run_dir),
        }
        python(environment, "manage.py", "migrate", "-v", "0")
        yield environment
    finally:
        for store in (redis, postgres):
            store.stop()
        for path in (directory, run_dir):
            shutil.rmtree(path, ignore_errors=True)


def python(environment: dict[str, str], *words: str) -> None:
    """Run Python with these words. Raises: CalledProcessError."""
    subprocess.run([sys.executable, *words], env=environment, check=True)


def seed_fleet(environment: dict[str, str], *, hosts: int, guests: int) -> None:
    """Fill the database with a made-up fleet."""
    python(environment, "manage.py", "seed_fleet", "--hosts", str(hosts), "--guests", str(guests))
