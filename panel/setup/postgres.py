"""The private PostgreSQL: one small cluster on a unix socket, that no other user of the machine can log in to."""

import shutil
import signal
from pathlib import Path

from panel.setup.accounts import DATABASE_USER, SERVICE_USER
from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.processes import run
from panel.setup.services import Service

_INSTALLED = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "80",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "jit": "off",  # every query is small; compiling one takes longer than running it
    # What a statement was refused for is for the panel to tell. Here it would stand with what customers have sent.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# By the peer's user id: the services' user and root may be the owner of the database, postgres is the superuser.
_HBA = f"local all {DATABASE_USER} peer\nlocal all {SERVICE_USER} peer map=ours\n"
_IDENT = f"ours {SERVICE_USER} {SERVICE_USER}\nours root {SERVICE_USER}\n"


def cluster_ensure(context: Context) -> str:
    """Make the cluster if there is none; it appears whole. Returns a few words for the screen."""
    home = context.layout.state / "postgres"
    data = home / "data"
    for name, text in (("hba.conf", _HBA), ("ident.conf", _IDENT)):
        (home / name).write_text(text)
    if (data / "PG_VERSION").is_file():
        return f"PostgreSQL {(data / 'PG_VERSION').read_text().strip()}, present"
    unfinished = home / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    programs = _programs(data)
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=peer", "--data-checksums"]
    run(
        context.as_database([str(programs / "initdb"), "--pgdata", str(unfinished), *options]),
        failure="PostgreSQL's cluster cannot be made",
        cwd=home,
    )
    unfinished.rename(data)
    return f"PostgreSQL {programs.parent.name}, made in {data}"


def postgres_service(context: Context) -> Service:
    """Return the process. SIGINT is PostgreSQL's fast shutdown: it ends connections and loses nothing."""
    home = context.layout.state / "postgres"
    programs = _programs(home / "data")
    settings = _SETTINGS | {
        "unix_socket_directories": str(context.layout.postgres_socket),
        "hba_file": str(home / "hba.conf"),
        "ident_file": str(home / "ident.conf"),
        "cluster_name": f"innkeeper-{context.layout.id}",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Service(
        name="postgresql",
        command=(str(programs / "postgres"), "-D", str(home / "data"), *options),
        user=DATABASE_USER,
        environment={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        cwd=home,
        log=context.layout.logs / "postgresql.log",
        ready=lambda: _answers(context),
        ready_s=120,  # after a power cut it replays its log first
        store=True,
        stop_signal=signal.SIGINT,
        stop_s=30,
    )


def database_ensure(context: Context) -> None:
    """Make the role and the database that do not exist yet."""
    if SERVICE_USER not in _query(context, "SELECT rolname FROM pg_roles").split():
        _query(context, f"CREATE ROLE {SERVICE_USER} LOGIN")
    if SERVICE_USER not in _query(context, "SELECT datname FROM pg_database").split():
        _query(context, f"CREATE DATABASE {SERVICE_USER} OWNER {SERVICE_USER}")


def _query(context: Context, statement: str) -> str:
    psql = ["psql", "-h", str(context.layout.postgres_socket), "-d", "postgres", "-AtXqc", statement]
    return run(context.as_database(psql), failure="The private PostgreSQL refuses", cwd=Path("/")).strip()


def _answers(context: Context) -> bool:
    try:
        return _query(context, "SELECT 1") == "1"
    except SetupError:
        return False


def _programs(data: Path) -> Path:
    """Return the folder of PostgreSQL's programs: of the cluster's version, or the newest."""
    version = data / "PG_VERSION"
    if version.is_file():
        wanted = version.read_text().strip()
        if (_INSTALLED / wanted / "bin" / "postgres").exists():
            return _INSTALLED / wanted / "bin"
        raise SetupError(f"The database was made by PostgreSQL {wanted}: install the package postgresql-{wanted}.")
    found = [path.parent for path in _INSTALLED.glob("*/bin/initdb") if path.parent.parent.name.isdigit()]
    if not found:
        raise SetupError("PostgreSQL is not installed: install the package postgresql.")
    return max(found, key=lambda path: int(path.parent.name))
