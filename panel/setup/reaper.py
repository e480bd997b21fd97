"""Run a program that makes a daemon, and be the parent of all that it and its daemon leave behind.

A process that has ended exists until its parent takes notice. libvirt waits for that when it stops QEMU or finds it
killed, and QEMU's parent is the machine's first process, which in containers and small virtual machines may look only
now and then (seen: every 1.5 s). Here it is taken notice of at once.

Run as a script: ``reaper.py PROGRAM [ARGUMENT …]``. Returns the program's own exit status when it has ended; a copy of
this process stays until everything that descends from it has. It must stand alone: no import from this package.
"""

import ctypes
import os
import sys

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): what is orphaned below this process becomes its child


def main(command: list[str]) -> int:
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        told = os.read(reading, 1)  # nothing: it could not even be run, and has said why
        return told[0] if told else 1
    os.close(reading)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = os.posix_spawnp(command[0], command, os.environ)
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # whoever reads what the program says must not wait for this process
        os.dup2(nothing, descriptor)
    os.write(writing, bytes([status if status >= 0 else 1]))
    os.close(writing)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
