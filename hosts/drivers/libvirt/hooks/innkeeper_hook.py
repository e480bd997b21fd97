"""libvirt's hook for the panel's domains. Run by the scripts ``lxc`` and ``qemu``; needs only Python's own library.

Arguments: DRIVER NAME OPERATION SUB-OPERATION EXTRA; the domain's XML on standard input. Exit status other than 0
forbids the operation, and the line on standard error reaches the panel in libvirt's error.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

import innkeeper_rules
from innkeeper_guest import Guest, HookError, Question, read_domain

# libvirt waits for its hooks without end; a hook that hangs is ended by the alarm, which refuses the operation.
_TIMEOUT_S = 120


def main(arguments: list[str]) -> int:
    """Do what an operation needs; return the exit status."""
    driver, name, operation = arguments[:3]
    signal.alarm(_TIMEOUT_S)
    try:
        subject = read_domain(name, sys.stdin.read())
        if isinstance(subject, Question):
            if operation != "prepare":
                return 0  # it was answered, and is being cleared away
            from innkeeper_answers import answer

            print(answer(subject), file=sys.stderr)  # noqa: T201 - this is how a hook speaks
            return 1
        if isinstance(subject, Guest):
            run(driver, operation, subject)
    except (HookError, OSError, ValueError) as error:
        print(f"innkeeper: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def run(driver: str, operation: str, guest: Guest) -> None:
    """Carry out one operation of a guest's life. Raises: HookError, OSError."""
    if operation in ("prepare", "reconnect") and guest.nics:
        innkeeper_rules.protect(guest.name, guest.nics)
    if operation == "release":
        release(driver, guest)
    elif driver == "lxc":
        container(operation, guest)


def container(operation: str, guest: Guest) -> None:
    """What only a container needs, before it starts and once its init runs."""
    import innkeeper_cgroups
    import innkeeper_console
    import innkeeper_mounts

    if operation == "prepare":
        innkeeper_mounts.mount_all(guest.mounts)
        innkeeper_cgroups.prepare(guest.name, guest.max_processes)
    elif operation == "started":
        innkeeper_cgroups.started(guest.name, guest.max_processes, guest.controller)
        if guest.console:
            innkeeper_console.keep(guest.name, guest.console)


def release(driver: str, guest: Guest) -> None:
    """Take everything back after a domain ended; one failure does not keep the rest."""
    steps = [lambda: innkeeper_rules.unprotect(guest.name, guest.nics)]
    if driver == "lxc":
        import innkeeper_cgroups
        import innkeeper_mounts

        steps += [lambda: innkeeper_mounts.unmount_all(guest.name), lambda: innkeeper_cgroups.remove(guest.name)]
    errors = []
    for step in steps:
        try:
            step()
        except (HookError, OSError) as error:
            errors.append(str(error))
    if errors:
        raise HookError("; ".join(errors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
