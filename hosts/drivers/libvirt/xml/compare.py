"""Is a host's configuration the one we would write? Compares elements, not text.

The host adds to what it was given (PCI addresses, controllers, security labels, defaults): additions of the kinds
named here are ignored, every other element that we did not write is a difference, so that a disk or a device
attached by hand is seen.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator

from hosts.drivers.descriptions import ConfigurationChange, PartChange
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

# What opens something of its host to a guest: one of these parts or devices added or changed.
_REACHING = {"idmap", "commandline"}
_REACHING_CONTAINER = {*_REACHING, "features"}  # its capabilities, and a network of its own
_WALLS = {"idmap", "features"}  # to take it away does, too
_REACHING_DEVICES = {
    "filesystem", "disk", "hostdev", "shmem", "redirdev", "channel", "serial", "parallel", "emulator",
}  # fmt: skip
_LONGEST = 200


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
    return not any(_unmatched(wanted, found, tag=tag))


def _unmatched(wanted: list[Element], found: list[Element], *, tag: str) -> tuple[list[Element], list[Element]]:
    """Return what of ``wanted`` is not in ``found``, and what of ``found`` is more than was wanted and may not be."""
    remaining, lacking = list(found), []
    for one in wanted:
        match = next((other for other in remaining if covers(one, other)), None)
        if match is None:
            lacking.append(one)
        else:
            remaining.remove(match)
    return lacking, [] if tag in _MORE_ALLOWED else remaining


def differences(wanted: Element, found: Element) -> Iterator[ConfigurationChange]:
    """Name the parts of a domain that are not as wanted; none exactly when ``found`` covers ``wanted``."""
    if not _attributes_agree(wanted, found):
        yield ConfigurationChange(part="domain", change=PartChange.CHANGED)
    yield from _parts(wanted, found, _REACHING_CONTAINER if found.get("type") == "lxc" else _REACHING)


def _parts(wanted: Element, found: Element, reaching: Collection[str]) -> Iterator[ConfigurationChange]:
    groups_wanted, groups_found = _by_tag(wanted), _by_tag(found)
    for tag in dict.fromkeys([*groups_wanted, *groups_found]):
        mine, there = groups_wanted.get(tag, []), groups_found.get(tag, [])
        if tag == "devices" and mine and there:
            yield from _parts(mine[0], there[0], _REACHING_DEVICES)
        elif mine or tag not in _ADDED:
            yield from _told(*_unmatched(mine, there, tag=tag), reaching)


def _told(lacking: list[Element], more: list[Element], reaching: Collection[str]) -> Iterator[ConfigurationChange]:
    """Say of elements of one tag which were removed, added, or, being in both under one name, changed."""
    before, now = [part_name(one) for one in lacking], [part_name(one) for one in more]
    for part in dict.fromkeys([*before, *now]):
        change = PartChange.CHANGED if part in before and part in now else PartChange.ADDED
        if part not in now:
            change = PartChange.REMOVED
        tag = part.partition(" ")[0]
        reaches = tag in reaching and (change is not PartChange.REMOVED or tag in _WALLS)
        yield ConfigurationChange(part=part, change=change, reaches_host=reaches)


def part_name(one: Element) -> str:
    """Return what a part is called: its tag, and of a device which it is, without what may be a secret."""
    words = [one.tag.rpartition("}")[2]]
    source, target = one.find("source"), one.find("target")
    if one.tag in ("filesystem", "disk") and source is not None:
        words += [value for name in ("dir", "file", "dev") if (value := source.get(name))]
    if one.tag == "filesystem" and target is not None:
        words += ["at", target.get("dir", "")]
    elif one.tag == "interface":
        words += [value for mac in one.iterfind("mac") if (value := mac.get("address"))]
    elif one.tag in ("hostdev", "graphics", "channel"):
        words += [one.get("type", "")]
    return " ".join(filter(None, words))[:_LONGEST]


def _by_tag(parent: Element) -> defaultdict[str, list[Element]]:
    groups: defaultdict[str, list[Element]] = defaultdict(list)
    for one in parent:
        groups[one.tag].append(one)
    return groups
