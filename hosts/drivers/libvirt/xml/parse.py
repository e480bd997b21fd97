"""What libvirt says, read into the panel's types."""

from hosts.drivers.libvirt.xml.elements import Element, from_text
from hosts.drivers.types import VolumeFormat, VolumeInfo, VolumeRef


def volume_info(pool: str, text: str) -> VolumeInfo:
    """Read a volume. Its format is what libvirt found in the file, so it is shown and never built upon."""
    volume = from_text(text)
    format_element = volume.find("target/format")
    kind = format_element.get("type") if format_element is not None else None
    return VolumeInfo(
        ref=VolumeRef(pool, _text(volume, "name")),
        format=VolumeFormat.QCOW2 if kind == "qcow2" else VolumeFormat.RAW,
        capacity_bytes=int(_text(volume, "capacity")),
        allocation_bytes=int(_text(volume, "allocation")),
        backing_path=_text(volume, "backingStore/path"),
    )


def is_directory(text: str) -> bool:
    """True when what libvirt lists as a volume is a directory."""
    return from_text(text).get("type") == "dir"


def volume_size_bytes(text: str) -> int:
    """Return the length of a volume's file, whatever is in it."""
    volume = from_text(text)
    return int(_text(volume, "physical") or _text(volume, "capacity"))


def volume_backing_path(text: str) -> str:
    """Return the path of an overlay's backing file; "" when it has none."""
    return _text(from_text(text), "backingStore/path")


def pool_path(text: str) -> str:
    """Return a pool's directory."""
    return _text(from_text(text), "target/path")


def supports_kvm(capabilities: str) -> bool:
    """True when the host's QEMU can use hardware virtualization for x86-64 guests."""
    domains = from_text(capabilities).iterfind("guest/arch[@name='x86_64']/domain")
    return any(one.get("type") == "kvm" for one in domains)


def cpu_model(capabilities: str) -> str:
    """Return the host's processor model; "" when libvirt does not know it."""
    return _text(from_text(capabilities), "host/cpu/model")


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
