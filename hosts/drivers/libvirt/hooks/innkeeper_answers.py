"""What the panel may ask through a domain that is never meant to start (its metadata has a ``question``).

libvirt reports a hook's failure with its standard error, so an answer is a failure with a line of JSON.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator

import innkeeper_cgroups
import innkeeper_mounts
import innkeeper_rules
import innkeeper_shaping
from innkeeper_guest import HookError, Nic, Question

PREFIX = "INNKEEPER-ANSWER "
VERSION = 2
MOST_DEVICES = 40  # libvirt cuts an error's text at 1,024 bytes
MOST_NAMES = 5  # of one file
BOOT_FILE = "/run/innkeeper-boot"  # gone when the host starts anew, as everything below /run


def answer(question: Question) -> str:
    """Return the line to print on standard error. Raises: HookError."""
    answers: dict[str, Callable[[], object]] = {
        "check": lambda: check(question.about),
        "leftovers": lambda: leftovers(question.about),
        "clean": lambda: clean(question.about),
        "unguarded": lambda: innkeeper_rules.unguarded(question.nics)[:MOST_DEVICES],
        "protect": lambda: protect(question.about, question.nics),
        "same_files": lambda: same_files(question.wanted, question.named),
    }
    if question.kind not in answers:
        raise HookError(f"not a question: {question.kind!r}")
    return PREFIX + json.dumps(answers[question.kind]())


def protect(name: str, nics: tuple[tuple[str, Nic], ...]) -> list[str]:
    """Put the rules of a running guest's nics in force, in the place of all that it had; return what is not."""
    innkeeper_rules.remove_all(name)
    innkeeper_rules.protect(name, tuple(nic for _, nic in nics))
    return innkeeper_rules.unguarded(nics)


def check(_name: str) -> dict[str, str | int]:
    """Say what works here: the reason why not, or "" for what does."""
    try:
        innkeeper_rules.try_out()
        anti_spoofing = ""
    except HookError as error:
        anti_spoofing = str(error)
    return {
        "version": VERSION,
        "boot_id": boot_id(),
        "anti_spoofing": anti_spoofing,
        "process_limit": innkeeper_cgroups.obstacle(),
        "bandwidth": innkeeper_shaping.obstacle(),
    }


def boot_id() -> str:
    """Return what changes when the host starts anew: its kernel, or all that it keeps until it is switched off.

    The second counts where "hosts" share a kernel: one whose ``/run`` was emptied has lost its guests too.
    """
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        kernel = file.read().strip()
    with open(BOOT_FILE, "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # KVM's hook and LXC's may be asked at the same moment
        file.seek(0)
        of_kernel, _, own = file.read().strip().partition(" ")
        if not own or of_kernel != kernel:
            own = str(uuid.uuid4())
            file.truncate(0)
            file.write(f"{kernel} {own}")
        return own


def same_files(wanted: tuple[str, ...], named: tuple[str, ...]) -> list[list[int]]:
    """Return for each wanted file which of the named are it, or a directory that it is in, by other names or not.

    Links and mounts give a file more names than one. Both are given by their numbers.
    """
    identities = [_identity(path) for path in named]
    found = []
    for path in wanted:
        own = {_identity(one) for one in _up(os.path.realpath(path))} - {None}
        found.append([number for number, identity in enumerate(identities) if identity in own][:MOST_NAMES])
    return found


def _up(path: str) -> Iterator[str]:
    """Give a file and the directories that it is in, without the lowest of all."""
    while path != "/":
        yield path
        path = os.path.dirname(path)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def leftovers(name: str) -> list[str]:
    """Name what this host has of a domain, beside the domain itself and its console's logs."""
    directory = f"{innkeeper_mounts.MOUNTS_DIRECTORY}/{name}"
    return [
        *(f"rules {chain}" for chain in innkeeper_rules.chains_of(name)),
        *(f"mount {target}" for target in innkeeper_mounts.mounts_of(name)),
        *([f"directory {directory}"] if os.path.isdir(directory) else []),
        *(f"group {group}" for group in innkeeper_cgroups.groups_of(name)),
    ]


def clean(name: str) -> list[str]:
    """Remove all of it; return what could not be. Only for a domain that is off."""
    innkeeper_rules.remove_all(name)
    innkeeper_mounts.unmount_all(name)
    innkeeper_cgroups.remove(name)
    return leftovers(name)
