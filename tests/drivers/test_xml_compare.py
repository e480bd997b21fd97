"""What of a configuration was changed by hand is named, and what opens the host to the guest is told apart."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from copy import deepcopy

import pytest

from hosts.drivers.descriptions import PartChange
from hosts.drivers.libvirt.xml.compare import covers, differences
from tests.drivers.test_xml_golden import GOLDEN

Edit = Callable[[ET.Element], None]
DEVICES = "devices"


def read(name: str) -> ET.Element:
    return ET.fromstring((GOLDEN / f"{name}.xml").read_text())


def adding(parent: str, text: str) -> Edit:
    def edit(domain: ET.Element) -> None:
        place = domain if parent == "." else domain.find(parent)
        assert place is not None
        place.append(ET.fromstring(text))

    return edit


def removing(parent: str, tag: str) -> Edit:
    def edit(domain: ET.Element) -> None:
        place = domain if parent == "." else domain.find(parent)
        assert place is not None
        gone = place.find(tag)
        assert gone is not None
        place.remove(gone)

    return edit


def writing(path: str, text: str) -> Edit:
    def edit(domain: ET.Element) -> None:
        found = domain.find(path)
        assert found is not None
        found.text = text

    return edit


ETC = "<filesystem type='mount'><source dir='/etc'/><target dir='/mnt/etc'/></filesystem>"
SCREEN = "<graphics type='vnc' passwd='secret'/>"
BLOCK = "<disk type='block'><source dev='/dev/sda'/></disk>"
STORE = "<disk type='network'><source protocol='rbd' name='pool/x'><auth username='u'/></source></disk>"
COMMAND = "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-x'/></q:commandline>"


@pytest.mark.parametrize(
    ("name", "edit", "part", "change", "reaches_host"),
    [
        ("lxc", adding(DEVICES, ETC), "filesystem /etc at /mnt/etc", "added", True),
        ("lxc", removing(".", "idmap"), "idmap", "removed", True),
        ("lxc", writing("title", "another"), "title", "changed", False),
        ("lxc", writing("vcpu", "7"), "vcpu", "changed", False),
        ("lxc", removing(DEVICES, "interface"), "interface 52:54:00:12:34:56", "removed", False),
        ("kvm-disk", adding(DEVICES, "<hostdev mode='subsystem' type='pci'/>"), "hostdev pci", "added", True),
        ("lxc", removing("features", "privnet"), "features", "changed", True),
        ("lxc", writing("devices/emulator", "/tmp/other"), "emulator", "changed", True),
        ("kvm-disk", adding(DEVICES, BLOCK), "disk /dev/sda", "added", True),
        ("kvm-disk", adding("features", "<hap/>"), "features", "changed", False),
        ("kvm-disk", adding(DEVICES, STORE), "disk", "added", True),
        ("kvm-disk", adding(DEVICES, SCREEN), "graphics vnc", "added", False),
        ("kvm-disk", adding(".", COMMAND), "commandline", "added", True),
        ("kvm-disk", adding(".", "<description>mine</description>"), "description", "added", False),
    ],
)  # fmt: skip
def test_a_change_by_hand_has_a_name(name, edit, part, change, reaches_host):
    wanted = read(name)
    found = deepcopy(wanted)
    edit(found)
    assert not covers(wanted, found)
    (told,) = differences(wanted, found)
    assert (told.part, told.change) == (part, PartChange(change))
    assert told.reaches_host is reaches_host
    assert "secret" not in told.part


def test_another_source_is_one_less_and_one_more():
    wanted = read("lxc")
    found = deepcopy(wanted)
    source = found.find("devices/filesystem/source")
    assert source is not None
    before, target = source.get("dir"), "/"
    source.set("dir", "/etc")
    told = [(one.part, one.change.value, one.reaches_host) for one in differences(wanted, found)]
    assert told == [
        (f"filesystem {before} at {target}", "removed", False),
        (f"filesystem /etc at {target}", "added", True),
    ]


def test_what_libvirt_adds_by_itself_is_no_change():
    wanted = read("kvm-disk")
    found = deepcopy(wanted)
    for parent, text in (
        (DEVICES, "<controller type='usb'/>"),
        (DEVICES, "<watchdog model='itco'/>"),
        (".", "<seclabel/>"),
    ):
        adding(parent, text)(found)
    assert list(differences(wanted, found)) == []
