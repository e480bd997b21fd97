"""The private libvirtd's two configuration files, and putting files where programs read them."""

import re
import stat
from pathlib import Path

_ADDRESS = re.compile(r"[0-9a-fA-F.:]+\Z")


def libvirtd_conf(*, host_uuid: str, socket_group: str | None, listen_tcp: str | None) -> str:
    """Return libvirtd.conf. Who may open the socket may do everything, so it is root's or one group's."""
    settings: dict[str, str | int] = {
        "host_uuid": host_uuid,
        "auth_unix_rw": "none",  # the alternative, polkit, does not run on machines that need this
        "auth_unix_ro": "none",
        "unix_sock_ro_perms": "0700",
        "unix_sock_rw_perms": "0770" if socket_group else "0700",
        "max_client_requests": 20,  # a worker's threads share one connection
        "log_outputs": "3:file:/var/log/libvirt/libvirtd.log",
        "listen_tls": 0,
    }
    if socket_group:
        settings["unix_sock_group"] = socket_group
    if listen_tcp:
        settings |= {"listen_tcp": 1, "listen_addr": _address(listen_tcp), "auth_tcp": "none"}
    return _lines(settings)


def qemu_conf(*, migration_host: str | None) -> str:
    """Return qemu.conf.

    libvirt is not to note in a disk's extended attributes whose it was before it was started: on a file system that is
    full there is no room for them, and no guest could be started.
    """
    migration = {"migration_host": _address(migration_host)} if migration_host else {}
    return _lines({"remember_owner": 0, **migration})


def put(path: Path, content: bytes, *, mode: int) -> bool:
    """Give a file its content and mode; it is replaced whole. Returns whether it was another before."""
    if path.is_file() and path.read_bytes() == content and stat.S_IMODE(path.stat().st_mode) == mode:
        return False
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.chmod(mode)
    partial.replace(path)
    return True


def _address(text: str) -> str:
    if not _ADDRESS.match(text):
        raise ValueError(f"not an address: {text!r}")
    return text


def _lines(settings: dict[str, str | int]) -> str:
    return "".join(
        f"{key} = {value if isinstance(value, int) else _quoted(value)}\n" for key, value in settings.items()
    )


def _quoted(value: str) -> str:
    if '"' in value or "\n" in value:
        raise ValueError(f"cannot be quoted in a libvirt configuration file: {value!r}")
    return f'"{value}"'
