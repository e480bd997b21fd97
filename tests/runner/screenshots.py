"""``make screenshots``: pictures of every page, both widths and themes, into var/screenshots. As root."""

import os
import subprocess
import sys
from pathlib import Path

from lab.stores import Postgres, Redis
from panel.setup.steps import run_steps
from tests.runner import prepare
from tests.runner.lanes import test_environment
from tests.runner.places import claim, clear, find_places


def main(words: list[str]) -> int:
    """Start a database and Redis of its own, make the pictures, stop them again."""
    os.environ.setdefault("INNKEEPER_TEST_LETTER", "s")
    places = find_places(Path.cwd())
    with claim(places) as lock:
        run_steps(prepare.steps(places))
        postgres = Postgres(directory=places.state / "postgres", sockets=places.run_dir / "pg")
        redis = Redis(directory=places.state / "redis", socket=places.run_dir / "redis.sock")
        try:
            postgres.start()
            redis.start()
            url = postgres.database_make("innkeeper")
            environment = test_environment(places, database_url=url, redis_url=redis.url, full=False)
            command = [str(places.python), "-m", "tests.browser.screenshots", *words]
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            redis.stop()
            postgres.stop()
            clear(places)
            Path(lock.name).unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
