"""A whole panel of processes: web, two workers, a builder, two collectors, on stores of their own."""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.client import Api
from lab.host import LabHost
from lab.processes import LabError, Process, call, free_port, wait_ready
from lab.server import wait_until
from lab.stores import Postgres, Redis
from panel.setup.subnet import GuestSubnets

_CHECKOUT = Path(__file__).parents[1]
_CELERY = (
    *("-m", "celery", "-A", "panel.celery", "--quiet", "worker"),
    *("--loglevel=INFO", "--without-gossip", "--without-mingle"),
)
_SIGN_IN = """
from panel.core.actors import person
from panel.core.models import User
from panel.core.people.tokens import token_create
print(token_create(actor=person(User.objects.get(email="{email}")), name="lab", scope="write").value)
"""


@dataclass
class LabPanel:
    """One panel in a network namespace; its page is at ``http://127.0.0.1:PORT`` in there.

    Attributes:
        cache: built images.
        settings: environment of every process beside what the panel needs.
        max_connections: of PostgreSQL.
    """

    directory: Path
    run_dir: Path
    cache: Path
    netns: str | None = None
    port: int = 8000
    settings: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    max_connections: int = 200

    def __post_init__(self) -> None:
        self.postgres = Postgres(
            directory=self.directory / "pg",
            sockets=self.run_dir / "pg",
            netns=self.netns,
            max_connections=self.max_connections,
        )
        self.redis = Redis(directory=self.directory / "redis", socket=self.run_dir / "redis.sock", netns=self.netns)
        self.processes: dict[str, Process] = {}
        self.admin_email = self.admin_password = ""
        self._secrets = {
            name: secrets.token_urlsafe(48) for name in ("DJANGO_SECRET_KEY", "TOKEN_PEPPER", "KEY_ENCRYPTION_KEY")
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the panel's processes."""
        kept = ("PATH", "LANG", "TZ", "PYTHONDONTWRITEBYTECODE", "INNKEEPER_TEST_NAME")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **self._secrets,
            "DJANGO_SETTINGS_MODULE": "panel.settings.production",
            "DATABASE_URL": self.postgres.url("panel"),
            "REDIS_URL": self.redis.url,
            "INNKEEPER_STATE": str(self.directory / "state"),
            "INNKEEPER_CACHE": str(self.cache),
            "INNKEEPER_ID": "1ab0",
            "PROMETHEUS_MULTIPROC_DIR": str(self.directory / "metrics"),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # as every installation has it
            "HOME": str(self.directory),
            **self.settings,
        }

    def prepare(self) -> None:
        """Start the stores, make the tables, the static files and the first administrator."""
        self.prepare_stores()
        self.manage("collectstatic", "--no-input", "-v", "0")
        self.admin_email, _, self.admin_password = self.manage("first_admin").strip().partition(" ")

    def prepare_stores(self) -> None:
        """Start the stores and make the tables: all that the API needs."""
        (self.directory / "state" / "static").mkdir(parents=True)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.postgres.start()
        self.redis.start()
        self.postgres.database_make("panel")
        self.manage("migrate", "--no-input", "-v", "0")
        self.manage("createcachetable")

    def enrol_host(self, host: LabHost) -> None:
        """Take a real host in."""
        uris = {"kvm": host.libvirtd.kvm_uri, "lxc": host.libvirtd.lxc_uri}
        self.enrol(host.name, uris, driver="libvirt", pool=str(host.pool), bridge=host.bridge, subnets=host.subnets)

    def enrol(
        self, name: str, uris: Mapping[str, str], *, driver: str, pool: str, bridge: str, subnets: GuestSubnets
    ) -> None:
        """Take a host in, with a network for its guests."""
        named = {
            "--name": name,
            "--driver": driver,
            "--kvm-uri": uris["kvm"],
            "--lxc-uri": uris["lxc"],
            "--pool-path": pool,
            "--bridge": bridge,
            "--cidr-v4": str(subnets.v4),
            "--gateway-v4": subnets.gateway_v4,
            "--cidr-v6": str(subnets.v6),
            "--gateway-v6": subnets.gateway_v6,
        }
        self.manage("enrol_local", *(word for pair in named.items() for word in pair))

    def start(self) -> None:
        """Start every process and wait until the page answers. Raises: LabError."""
        self.start_web()
        for number in (1, 2):
            self.start_worker(number)
        self.start_one("builder", *_CELERY, "-Q", "builder", "-c", "1", "-n", "builder@lab")
        for number in (1, 2):
            self.start_one(f"collector{number}", "manage.py", "collector")

    def start_web(self, *, second_port: int | None = None) -> None:
        """Start what serves pages and API; with ``second_port`` another one of it beside the first."""
        port = second_port or self.port
        options = ("--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "2")
        web = self.start_one("web2" if second_port else "web", "-m", "uvicorn", "panel.asgi:application", *options)
        wait_ready(web, lambda: self._answers(port), name="The page")

    def start_worker(self, number: int) -> Process:
        """Start worker 1 or 2, with three processes that run jobs."""
        return self.start_one(f"worker{number}", *_CELERY, "-Q", "jobs", "-c", "3", "-n", f"worker{number}@lab")

    def start_one(self, name: str, *words: str) -> Process:
        """Start one Python process of the panel."""
        self.processes[name] = Process(
            [self.python, *words],
            log=self.logs / f"{name}.log",
            environment=self.environment,
            cwd=_CHECKOUT,
            netns=self.netns,
        )
        return self.processes[name]

    def stop(self) -> None:
        """Stop everything."""
        for process in self.processes.values():
            process.send(signal.SIGTERM)
        for process in self.processes.values():
            process.stop(timeout_s=10)
        self.processes.clear()
        self.redis.stop()
        self.postgres.stop()

    def kill(self) -> None:
        """Kill all of its processes at once, without a word to any; the stores run on."""
        for process in self.processes.values():
            process.send(signal.SIGKILL)
        for process in self.processes.values():
            process.kill()
        self.processes.clear()

    def manage(self, *words: str) -> str:
        """Run a command of ``manage.py`` and return what it printed. Raises: LabError."""
        command = [self.python, "manage.py", *words]
        return call(command, netns=self.netns, environment=self.environment, cwd=_CHECKOUT, timeout_s=300)

    def dump(self) -> str:
        """Return everything that the database and Redis hold, as text."""
        self.redis.command("SAVE")
        held = (self.directory / "redis" / "dump.rdb").read_bytes().decode(errors="replace")
        return held + self.postgres.dump("panel")

    def api(self, token: str | None = None) -> Api:
        """Return the API with a token; without one that of the first administrator."""
        return Api("127.0.0.1", self.port, token or self.manage("api_token").strip())

    def wait_hosts(self) -> None:
        """Wait until every host was looked at: servers can be ordered. Raises: LabError."""
        api = self.api()
        wait_until(
            lambda: {host["state"] for host in api.get("/hosts")["results"]} == {"active"}, "the hosts are active"
        )

    def token_of(self, email: str) -> str:
        """Return a fresh API token of a person."""
        return self.manage("shell", "-c", _SIGN_IN.format(email=email)).split()[-1]

    def _answers(self, port: int) -> bool:
        probe = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/healthz', timeout=2).status)"
        try:
            return call([sys.executable, "-c", probe], netns=self.netns).strip() == "200"
        except LabError:
            return False


@contextmanager
def panel_lent(*, settings: dict[str, str], max_connections: int = 200) -> Iterator[LabPanel]:
    """Lend a panel that is not started yet, on a free port; it is stopped and its folders are removed at the end."""
    directory = _folder("INNKEEPER_TEST_STATE", "/var/tmp")  # noqa: S108 - one of its own in there
    run_dir = _folder("INNKEEPER_TEST_RUN", "/run")
    panel = LabPanel(
        directory=directory,
        run_dir=run_dir,
        cache=directory / "cache",
        port=free_port(),
        settings=settings,
        max_connections=max_connections,
    )
    try:
        yield panel
    finally:
        panel.stop()
        shutil.rmtree(directory)
        shutil.rmtree(run_dir)


def _folder(variable: str, usual: str) -> Path:
    """Make a folder that the stores' own users may enter, where the test run has its own or where it is usual."""
    folder = Path(tempfile.mkdtemp(prefix="ikp-", dir=os.environ.get(variable, usual)))
    folder.chmod(0o755)
    return folder
