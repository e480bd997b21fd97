"""A self-signed certificate for a panel that others on the network can reach."""

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from panel.setup.accounts import SERVICE_USER
from panel.setup.context import Context
from panel.setup.processes import run

_DAYS = 825
_RENEW_S = 30 * 24 * 3600


def certificate_files(context: Context) -> tuple[Path, Path]:
    folder = context.layout.state / "tls"
    return folder / "certificate.pem", folder / "key.pem"


def certificate_ensure(context: Context) -> str:
    """Make or renew the certificate for the machine's names. Returns its SHA-256 fingerprint as browsers show it."""
    names = machine_names() if context.listen.is_any else [context.listen.host, *_host_names()]
    certificate, key = certificate_files(context)
    if context.records.get("web_names") != " ".join(names) or not _lasts(certificate):
        _make(names, certificate, key)
        context.records.set("web_names", " ".join(names))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest().upper()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))


def machine_names() -> list[str]:
    """Return the machine's addresses that others may use, and its names."""
    listed = json.loads(run(["ip", "-j", "address", "show"], failure="The machine's addresses cannot be read"))
    addresses = [
        entry["local"]
        for link in listed
        if not link.get("ifname", "").startswith("ink")
        for entry in link.get("addr_info", [])
        if entry.get("scope") == "global"
    ]
    return [*addresses, *_host_names()]


def main_address() -> str:
    """Return the address the machine uses towards the world, or an empty string."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation address: chooses a route, sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _host_names() -> list[str]:
    return [socket.gethostname()]


def _lasts(certificate: Path) -> bool:
    command = ["openssl", "x509", "-noout", "-checkend", str(_RENEW_S), "-in", str(certificate)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _make(names: list[str], certificate: Path, key: Path) -> None:
    subject = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    names_and_time = ["-days", str(_DAYS), "-subj", "/CN=Innkeeper", "-addext", f"subjectAltName={subject}"]
    run(
        [*request, *names_and_time, "-keyout", str(key), "-out", str(certificate)],
        failure="The certificate cannot be made",
    )
    for path in (key, certificate):
        shutil.chown(path, SERVICE_USER, SERVICE_USER)
        path.chmod(0o600)


def _is_address(name: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in name else socket.AF_INET, name)
    except OSError:
        return False
    return True
