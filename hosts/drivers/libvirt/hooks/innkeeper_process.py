"""Run a command. Python's ``subprocess`` takes longer to load than everything else a hook does."""

import os

from innkeeper_guest import HookError


def run(*command: str, text: str = "", worst: int = 0) -> str:
    """Return what a command printed, given ``text`` on its standard input.

    Raises: HookError when it ends with a status above ``worst``.
    """
    given, said = os.memfd_create("input"), os.memfd_create("output")
    try:
        os.write(given, text.encode())
        os.lseek(given, 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, given, 0), (os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
        try:
            child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
        except OSError as error:
            raise HookError(f"{command[0]} does not run: {error.strerror}") from error
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output = os.pread(said, os.fstat(said).st_size, 0).decode(errors="replace")
    finally:
        os.close(given)
        os.close(said)
    if not 0 <= status <= worst:
        raise HookError(f"{command[0]} fails: {output.strip()[:500]}")
    return output


def leave(*command: str, stdin: int) -> None:
    """Start a command that outlives this one; nobody hears what it says."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsid=True)
    os.close(null)
