"""What tests of the libvirt driver need that run without libvirtd."""

import libvirt

from hosts.drivers.libvirt.connection import Connection, Session


def use(one: Connection) -> Session:
    """Return the session that a connection lends."""
    with one.use() as session:
        return session


def failure(code: int, text: str) -> libvirt.libvirtError:
    """Make an error as libvirt raises it."""
    error = libvirt.libvirtError(text)
    error.args = (text,)
    error.err = (code, 0, text, 0, "", None, None, 0, 0)
    return error
