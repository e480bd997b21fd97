"""No name and no value can add an element or an attribute, whatever is in it."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.drivers.libvirt.xml.compare import covers, differences
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.probe import question_element
from hosts.drivers.libvirt.xml.storage import pool_element, volume_element
from hosts.drivers.types import (
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    VolumeFormat,
    VolumeRef,
    XenMode,
)
from panel.core.errors import DriverError
from tests.drivers.test_xml_golden import GUEST_ID, make_spec, paths_for

FRAGMENTS = st.sampled_from(
    ['"', "'", "<", ">", "&", "]]>", "<!--", "--", "<disk type='file'/>", "' a='b", '" a="b', "&lt;", "<?x ?>", "\x00"]
)
HOSTILE = st.lists(st.one_of(FRAGMENTS, st.text(max_size=8)), max_size=6).map("".join)
SHAPES = [(HostType.KVM, XenMode.PV), (HostType.LXC, XenMode.PV), *((HostType.XEN, mode) for mode in XenMode)]


@st.composite
def hostile_pairs(draw) -> tuple[DomainSpec, DomainSpec]:
    """A harmless spec and one of the same shape with hostile values."""
    host_type, mode = draw(st.sampled_from(SHAPES))
    has_kernel = draw(st.booleans()) and host_type is not HostType.LXC

    def spec(text) -> DomainSpec:
        nic = replace(make_spec().nics[0], bridge=text(), mac=text())
        kernel = KernelSpec(kernel=VolumeRef(text(), text()), initrd=VolumeRef(text(), text()), arguments=text())
        return make_spec(
            host_type=host_type,
            xen_mode=mode,
            name=text(),
            disks=(DiskSpec(volume=VolumeRef(text(), text()), format=VolumeFormat.RAW),),
            nics=(nic,),
            seed=VolumeRef(text(), text()),
            kernel=kernel if has_kernel else None,
            init=text(),
            owner=text(),
            labels={text(): text()},
        )

    return spec(lambda: "harmless"), spec(lambda: draw(HOSTILE))


def shape(root: ET.Element) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with the names of its attributes, in document order."""
    return [(one.tag, tuple(one.attrib)) for one in root.iter()]


@settings(max_examples=300, deadline=None)
@given(hostile_pairs())
def test_hostile_values_never_change_the_shape_of_a_domain(pair):
    harmless, hostile = pair
    expected = shape(domain_xml(harmless, paths_for(harmless)))
    try:
        built = domain_xml(hostile, paths_for(hostile))
    except DriverError:
        return  # a character that XML cannot hold: refused as a whole
    reread = ET.fromstring(to_text(built))
    assert shape(reread) == expected
    assert covers(built, reread)
    assert list(differences(built, reread)) == []


@settings(max_examples=200, deadline=None)
@given(HOSTILE, HOSTILE)
def test_hostile_values_never_change_the_shape_of_storage(name, path):
    def build(name: str, path: str) -> list[ET.Element]:
        volume = volume_element(
            name=name, format=VolumeFormat.QCOW2, capacity_bytes=1, backing_path=path, backing_format=VolumeFormat.RAW
        )
        return [pool_element(name=name, path=path), volume]

    try:
        built = build(name, path)
    except DriverError:
        return
    assert [shape(ET.fromstring(to_text(one))) for one in built] == [shape(one) for one in build("a", "b")]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([HostType.KVM, HostType.LXC]), HOSTILE, HOSTILE, HOSTILE)
def test_hostile_values_never_change_the_shape_of_a_question(host_type, name, kind, about):
    def build(name: str, kind: str, about: str) -> ET.Element:
        return question_element(host_type=host_type, name=name, uuid=GUEST_ID, kind=kind, about=about)

    try:
        built = build(name, kind, about)
    except DriverError:
        return
    reread = ET.fromstring(to_text(built))
    assert shape(reread) == shape(build("a", "b", "c"))
    assert covers(built, reread)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ufffe", "\ud800"])
def test_a_character_that_xml_cannot_hold_is_refused(character):
    spec = make_spec(name=f"web{character}")
    with pytest.raises(DriverError):
        domain_xml(spec, paths_for(spec))
