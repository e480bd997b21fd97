"""The only place where XML is made. Every value goes through ElementTree, which escapes it."""

import re
from xml.etree import ElementTree as ET

from panel.core.errors import DriverError

Element = ET.Element

# What XML 1.0 cannot hold even escaped (https://www.w3.org/TR/xml/#charsets). ElementTree would write it raw.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked(value: str | int) -> str:
    """Return ``value`` as text. Raises: DriverError when XML cannot hold it."""
    text = str(value)
    if _FORBIDDEN.search(text):
        raise DriverError("A value has a character that cannot be stored.", detail=repr(text[:80]))
    return text


def element(tag: str, text: str | int | None = None, **attributes: str | int | None) -> Element:
    """Make an element. An attribute that is None is left out."""
    made = ET.Element(tag, {name: checked(value) for name, value in attributes.items() if value is not None})
    if text is not None:
        made.text = checked(text)
    return made


def child(parent: Element, tag: str, text: str | int | None = None, **attributes: str | int | None) -> Element:
    """Make an element and append it to ``parent``."""
    made = element(tag, text, **attributes)
    parent.append(made)
    return made


def to_text(root: Element) -> str:
    """Write an element as libvirt takes it."""
    return ET.tostring(root, encoding="unicode")


def from_text(text: str) -> Element:
    """Read what libvirt wrote. libvirt itself has parsed it, so no document type can hide in it."""
    return ET.fromstring(text)  # noqa: S314
