"""``make up``: bring the machine into shape, step by step, then run the panel in the foreground."""

import hashlib
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from panel.setup import accounts, code_copy, packages, postgres, python_env
from panel.setup.checks import check_machine
from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.guest_network import GuestNetwork, network_ensure
from panel.setup.installations import installation_save
from panel.setup.layout import Layout
from panel.setup.libvirt_host import LibvirtHost, acceleration, libvirt_ensure, private_libvirtd, uses_systemd
from panel.setup.listen import bind, parse_listen
from panel.setup.lock import RunLock
from panel.setup.manage_client import ManageClient
from panel.setup.panel_services import panel_services
from panel.setup.redis_server import redis_service
from panel.setup.renewal import code_note, make_way
from panel.setup.steps import Records, Step, run_steps
from panel.setup.supervisor import Supervisor
from panel.setup.tls import certificate_ensure, main_address
from panel.setup.welcome import password_show, where_words

_OWED = "first_password_owed"  # a record from before the first password is made until it has been shown


def up(layout: Layout, environment: Mapping[str, str], *, password_to: int | None = None) -> None:
    """Do everything and return when asked to stop (Ctrl-C, SIGTERM, SIGHUP).

    Args:
        password_to: descriptor of a pipe for the first administrator's password; it is printed without one.

    Raises:
        SetupError: a step cannot be done; what ran is stopped, what was done stays done.
    """
    listen = parse_listen(environment.get("LISTEN", ""))
    records = Records.load(layout.records)
    check_machine(layout, complete=records.get("complete") is not None)
    make_way(layout)
    layout.run_dir.mkdir(mode=0o755, exist_ok=True)
    layout.logs.mkdir(mode=0o750, parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(RunLock(layout))
        installation_save(layout.installation)
        code_note(layout)
        context = Context(layout, records, environment, listen)
        supervisor = Supervisor(register=layout.run_dir / "services.json", say=_say)
        stack.callback(supervisor.stop)
        stack.callback(_StopRequest().ignore)
        run = _Run(context, supervisor, stack, password_to=password_to)
        stack.callback(run.show_password)
        seconds = run_steps(run.steps())
        run.show_welcome(seconds)
        (layout.run_dir / "ready").write_text(f"{os.getpid()}\n")
        stack.callback((layout.run_dir / "ready").unlink, missing_ok=True)
        try:
            supervisor.watch(also=run.keep_libvirt)
        except KeyboardInterrupt:
            print("\nStopping the panel; servers run on (make down stops them too) …", flush=True)


class _StopRequest:
    """Turns the first of the signals that end a program into KeyboardInterrupt and ignores the others.

    The ending itself is not to be cut short: it kills what does not end in time.
    """

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        if not self._asked:
            self._asked = True
            raise KeyboardInterrupt

    def ignore(self) -> None:
        self._asked = True


@dataclass
class _Run:
    """The steps, in order, and what they hand on to one another."""

    context: Context
    supervisor: Supervisor
    stack: ExitStack
    password_to: int | None = None
    fingerprint: str = ""
    host: LibvirtHost | None = None
    network: GuestNetwork | None = None
    password: str = ""
    manage: ManageClient = field(init=False)

    def __post_init__(self) -> None:
        self.manage = self.stack.enter_context(ManageClient(self.context))

    def steps(self) -> Iterator[Step]:
        layout = self.context.layout
        yield Step("Machine", self._machine)
        yield Step("Debian packages", lambda: packages.install(packages.ALL, log=self.context.log))
        yield Step("User", accounts.ensure_user)
        yield Step("Folders and secrets", self._folders)
        yield Step("Code", lambda: code_copy.sync_code(layout))
        yield Step("Python packages", self._python)
        yield Step("Browser packages", lambda: python_env.ensure_node_modules(layout.code, log=self.context.log))
        yield Step("Database", self._database)
        yield Step("Redis", self._redis)
        yield Step("Tables", self._tables)
        yield Step("Static files", self._static)
        yield Step("libvirt", self._libvirt)
        yield Step("Acceleration", acceleration)
        yield Step("Guest network", self._network)
        yield Step("This machine as host", self._enrol)
        yield Step("First administrator", self._first_admin)
        yield Step("Starter images", self._images)
        yield Step("Panel", self._panel)

    def _machine(self) -> str:
        left = self.supervisor.end_leftovers()
        self.web_socket = self.stack.enter_context(bind(self.context.listen))
        words = check_machine(self.context.layout, complete=self.context.records.get("complete") is not None)
        return f"{words}; ended {left} processes of a run that was killed" if left else words

    def _folders(self) -> str:
        words = accounts.ensure_folders(self.context.layout)
        if not self.context.listen.is_loopback:
            self.fingerprint = certificate_ensure(self.context)
        return f"{words}; secrets {accounts.ensure_secrets(self.context.layout)}"

    def _python(self) -> str:
        layout = self.context.layout
        words = python_env.ensure_venv(layout.venv, layout.code / "requirements.lock", log=self.context.log)
        code_copy.compile_code(layout)
        return words

    def _database(self) -> str:
        if not self.context.own_postgres:
            return "at DATABASE_URL"
        words = postgres.cluster_ensure(self.context)
        self.supervisor.start(postgres.postgres_service(self.context))
        postgres.database_ensure(self.context)
        return words

    def _redis(self) -> str:
        if not self.context.own_redis:
            return "at REDIS_URL"
        self.supervisor.start(redis_service(self.context))
        return str(self.context.layout.redis_socket)

    def _tables(self) -> str:
        said = self.manage.call("migrate", "--no-input")
        self.manage.call("createcachetable")
        applied = sum(line.strip().startswith("Applying ") for line in said.splitlines())
        return f"{applied} migrations applied" if applied else "up to date"

    def _static(self) -> str:
        layout = self.context.layout
        sources = [*(path for path in (layout.code / "static").rglob("*") if path.is_file())]
        sources += [layout.code / "package-lock.json", layout.code / "panel" / "static.py"]
        made = self.context.records.once(
            "static", _digest(sources), lambda: self.manage.call("collectstatic", "--no-input", "--clear")
        )
        return "collected" if made else "present"

    def _libvirt(self) -> str:
        self.host = libvirt_ensure(self.context)
        return self.host.words

    def _network(self) -> str:
        self.network = network_ensure(self.context)
        return self.network.words

    def _enrol(self) -> str:
        if self.host is None or self.network is None:
            raise SetupError("The machine cannot be enrolled before its network exists.")
        subnets = self.network.subnets
        named = {
            "--name": self.host.name,
            "--address": main_address(),
            "--kvm-uri": self.host.kvm_uri,
            "--lxc-uri": self.host.lxc_uri,
            "--pool-path": str(self.context.layout.pool),
            "--bridge": self.network.bridge,
            "--cidr-v4": str(subnets.v4),
            "--gateway-v4": subnets.gateway_v4,
            "--cidr-v6": str(subnets.v6 or ""),
            "--gateway-v6": subnets.gateway_v6,
        }
        words = [word for name, value in named.items() for word in (name, value)]
        dns = [word for server in self.network.dns_servers for word in ("--dns", server)]
        return self.manage.call("enrol_local", *words, *dns).splitlines()[-1]

    def _first_admin(self) -> str:
        records = self.context.records
        cut = records.get(_OWED) is not None  # a run ended before it could show the password that it had made
        if cut or records.get("complete") is None:
            records.set(_OWED, "yes")
        self.password = self.manage.call("first_admin") or (self.manage.call("admin_password") if cut else "")
        if self.password:
            return "made"
        records.forget(_OWED)
        return "present"

    def _images(self) -> str:
        return "; ".join(self.manage.call("starter_images").splitlines())

    def _panel(self) -> str:
        self.manage.close()
        for measured in self.context.layout.metrics.glob("*.db"):
            measured.unlink()
        self.supervisor.start(*panel_services(self.context, self.web_socket))
        self.context.records.set("complete", "yes")
        return ", ".join(self.supervisor.names())

    def keep_libvirt(self) -> None:
        """Start the private libvirtd again when it has died; its guests did not notice."""
        private = None if uses_systemd() else private_libvirtd(self.context.layout)
        if private is None or private.is_alive():
            return
        try:
            private.start()
            _say("libvirtd started again")
        except SetupError as error:
            _say(str(error))

    def show_welcome(self, seconds: float) -> None:
        """Print where the panel is and how to sign in."""
        print(f"\nInnkeeper is up after {seconds:.1f} s; images may still be building (see Jobs in the panel).\n")
        print(where_words(self.context.listen, fingerprint=self.fingerprint))
        self.show_password()
        print("  Stop      Ctrl-C (servers run on); everything: make down\n", flush=True)

    def show_password(self) -> None:
        """Show the first administrator's login, once; also when a later step fails, for it is shown nowhere else."""
        if self.password:
            said, self.password = self.password, ""
            password_show(said, to=self.password_to)
            self.context.records.forget(_OWED)


def _say(text: str) -> None:
    print(f"  ! {text}", flush=True)


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(os.fsencode(path) + b"\0" + path.read_bytes())
    return digest.hexdigest()
