"""The Python environment of the services, and the developers'."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.processes import running
from panel.setup.reasons import explain_output

# What the packages come from, and what to do when it does not answer.
_PYTHON_SOURCE = "The Python package index: check the network, or name an index in pip's configuration (PIP_INDEX_URL)"
_BROWSER_SOURCE = "The npm registry: check the network, or name a registry in npm's configuration (npm_config_registry)"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Return a lock file's packages and versions; names as in a wheel's metadata folder."""
    return {_normal(name): version for name, version in _PIN.findall(lock)}


def installed(venv: Path) -> dict[str, str]:
    """Return what an environment has, from its metadata folders."""
    found = {}
    for folder in venv.glob("lib/python3*/site-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if (folder / "RECORD").exists():  # written last by pip: without it the install was cut
            found[_normal(name)] = version
    return found


def ensure_venv(venv: Path, lock: Path, *, log: Path, compiled: bool = True) -> str:
    """Make ``venv`` hold what ``lock`` says, or more. Returns a few words for the screen.

    Without ``compiled`` modules are compiled when they are first imported: sooner done, but only good for those
    who may write there.

    Raises:
        SetupError: why, when it is known, and the place of pip's output.
    """
    wanted = pins(lock.read_text())
    if not _works(venv):
        shutil.rmtree(venv, ignore_errors=True)
        _logged([sys.executable, "-m", "venv", str(venv)], log=log, what="The Python environment cannot be made")
    lacking = {name for name, version in wanted.items() if installed(venv).get(name) != version}
    if not lacking:
        return f"{len(wanted)} packages present"
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += [] if compiled else ["--no-compile"]
    command += ["--require-hashes", "-r", str(lock)]
    _logged(command, log=log, what="pip could not install the packages", source=_PYTHON_SOURCE)
    return f"installed {len(lacking)} of {len(wanted)} packages"


def ensure_node_modules(code: Path, *, log: Path) -> str:
    """Make ``node_modules`` what the lock file says. Returns a few words for the screen."""
    lock = (code / "package-lock.json").read_bytes()
    marker = code / "node_modules" / ".complete"
    fingerprint = hashlib.sha256(lock).hexdigest()
    if marker.is_file() and marker.read_text() == fingerprint:
        return "present"
    marker.unlink(missing_ok=True)
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    _logged(command, log=log, what="npm could not install the packages", source=_BROWSER_SOURCE, cwd=code)
    marker.write_text(fingerprint)
    return "installed"


def _works(venv: Path) -> bool:
    """True when the environment was made to its end and its interpreter runs: not after the system's was replaced."""
    command = [str(venv / "bin" / "python"), "-c", "import pip"]
    try:
        return "pip" in installed(venv) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _logged(command: list[str], *, log: Path, what: str, source: str = "", cwd: Path | None = None) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        begin = output.tell()
        with running(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd) as process:
            process.wait()
    if process.returncode:
        with log.open("rb") as written:
            written.seek(begin)
            reason = explain_output(written.read().decode(errors="replace"), source=source)
        raise SetupError(f"{what}: {reason} (log: {log})" if reason else f"{what}; the reason is at the end of {log}.")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
