"""Is a host's configuration the one we would write? Compares elements, not text.

The host adds to what it was given (PCI addresses, controllers, security labels, defaults): additions of the kinds
named here are ignored, every other element that we did not write is a difference, so that a disk or a device
attached by hand is seen.
"""

from collections import defaultdict

from hosts.drivers.libvirt.xml.elements import Element
from hosts.drivers.libvirt.xml.metadata import qualified

# Elements that libvirt adds by itself, under any parent.
_ADDED = {
    "address", "alias", "allow", "audio", "backend", "backingStore", "bootmenu", "boot", "console", "controller",
    "emulator", "feature", "input", "link", "model", "pm", "resource", "seclabel", "suspend-to-disk", "suspend-to-mem",
    "target", "timer", "watchdog",
}  # fmt: skip

# Kinds of which libvirt may add more than we wrote.
_MORE_ALLOWED = {"controller", "input", "audio", "console", "timer"}


def covers(wanted: Element, found: Element) -> bool:
    """True when ``found`` is ``wanted`` plus only what libvirt adds by itself."""
    return _attributes_agree(wanted, found) and _text_agrees(wanted, found) and _children_agree(wanted, found)


def _attributes_agree(wanted: Element, found: Element) -> bool:
    return all(_value_agrees(name, value, found.get(name)) for name, value in wanted.attrib.items())


def _value_agrees(name: str, wanted: str, found: str | None) -> bool:
    if name == "machine" and found is not None:
        # "q35" becomes "pc-q35-7.2", the version this guest keeps.
        return found == wanted or f"-{wanted}-" in f"-{found}-"
    return found == wanted


def _text_agrees(wanted: Element, found: Element) -> bool:
    if len(wanted):
        return True
    return _lines(wanted.text) == _lines(found.text)


def _lines(text: str | None) -> str:
    # XML parsers turn every line end into one newline.
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def _children_agree(wanted: Element, found: Element) -> bool:
    if wanted.tag == "metadata":
        # Others may keep their own metadata beside ours.
        tag = qualified("guest")
        return _all_covered(wanted.findall(tag), found.findall(tag), tag=tag)
    groups_wanted, groups_found = _by_tag(wanted), _by_tag(found)
    if any(tag not in groups_wanted and tag not in _ADDED for tag in groups_found):
        return False
    return all(_all_covered(group, groups_found[tag], tag=tag) for tag, group in groups_wanted.items())


def _all_covered(wanted: list[Element], found: list[Element], *, tag: str) -> bool:
    if len(found) != len(wanted) and tag not in _MORE_ALLOWED:
        return False
    remaining = list(found)
    for one in wanted:
        match = next((other for other in remaining if covers(one, other)), None)
        if match is None:
            return False
        remaining.remove(match)
    return True


def _by_tag(parent: Element) -> defaultdict[str, list[Element]]:
    groups: defaultdict[str, list[Element]] = defaultdict(list)
    for one in parent:
        groups[one.tag].append(one)
    return groups
