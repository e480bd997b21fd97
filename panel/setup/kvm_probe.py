"""Does this machine run KVM guests with acceleration?

The presence of ``/dev/kvm`` says little: nested machines often have the device and cannot run a vCPU, or run it
in the kernel's instruction emulator, more slowly than QEMU's TCG. So two things must hold: the CPU shows its
virtualization extension, and a vCPU really runs: a guest of a single page full of ``hlt`` at the reset vector
(linux/kvm.h, Documentation/virt/kvm/api.rst).
"""

import ctypes
import fcntl
import mmap
import os
import struct
from contextlib import ExitStack
from pathlib import Path

_GET_API_VERSION = 0xAE00
_CREATE_VM = 0xAE01
_GET_VCPU_MMAP_SIZE = 0xAE04
_CREATE_VCPU = 0xAE41
_SET_TSS_ADDR = 0xAE47
_SET_USER_MEMORY_REGION = 0x4020AE46
_RUN = 0xAE80
_API_VERSION = 12
_EXIT_HLT = 5
_EXIT_REASON_OFFSET = 8
_RESET_PAGE = 0xFFFFF000
_TSS_PAGE = 0x7FFBD000
_HLT = b"\xf4"


def kvm_usable(device: Path = Path("/dev/kvm"), cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True when the CPU has its virtualization extension and a vCPU made on ``device`` executes an instruction."""
    try:
        return has_extension(cpuinfo.read_text()) and _vcpu_halts(device)
    except OSError:
        return False


def has_extension(cpuinfo: str) -> bool:
    """True when the first processor's flags have Intel's vmx or AMD's svm."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return bool({"vmx", "svm"} & set(flags.partition(":")[2].split()))


def _vcpu_halts(device: Path) -> bool:
    with ExitStack() as stack:
        kvm = _owned(stack, os.open(device, os.O_RDWR | os.O_CLOEXEC))
        if fcntl.ioctl(kvm, _GET_API_VERSION) != _API_VERSION:
            return False
        machine = _owned(stack, fcntl.ioctl(kvm, _CREATE_VM, 0))
        page = mmap.mmap(-1, mmap.PAGESIZE)
        page.write(_HLT * mmap.PAGESIZE)
        fcntl.ioctl(machine, _SET_TSS_ADDR, _TSS_PAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        # struct kvm_userspace_memory_region: slot, flags, guest address, size, user address
        fcntl.ioctl(machine, _SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, _RESET_PAGE, mmap.PAGESIZE, address))
        vcpu = _owned(stack, fcntl.ioctl(machine, _CREATE_VCPU, 0))
        state = stack.enter_context(mmap.mmap(vcpu, fcntl.ioctl(kvm, _GET_VCPU_MMAP_SIZE)))
        fcntl.ioctl(vcpu, _RUN, 0)
        (reason,) = struct.unpack_from("I", state, _EXIT_REASON_OFFSET)
        return bool(reason == _EXIT_HLT)


def _owned(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
