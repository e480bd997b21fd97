"""Which files are needed by others, and what their owner is told."""

import uuid

from hosts.drivers.descriptions import FileUse
from hosts.drivers.types import VolumeRef
from vms.services.file_needs import is_named, left_note, needed

A, B, C = "/srv/a", "/srv/b", "/srv/c"
DOMAIN = uuid.uuid4()


def used(path: str) -> FileUse:
    return FileUse(path=path, by="web", domain=DOMAIN)


def over(path: str, by: str) -> FileUse:
    return FileUse(path=path, by=by, domain=None)


def test_a_file_is_named_by_itself_and_by_a_directory_that_it_is_in():
    assert is_named("/srv/a/b", {"/srv/a/b"})
    assert is_named("/srv/a/b", {"/srv"})
    assert not is_named("/srv/a/b", {"/", "", "/srv/a/b/c", "/srv/a/bc", "/sr"})


def test_what_others_need_is_told_with_who_does():
    assert needed([A, B], [used(A)]) == {A: used(A)}
    assert needed([A], [over(A, "/elsewhere"), used("/srv/other")]) == {A: over(A, "/elsewhere")}
    assert needed([A, B], []) == {}


def test_an_overlay_that_goes_too_keeps_nothing_and_one_that_stays_keeps_what_it_is_on():
    chain = [over(A, B), over(B, C)]
    assert needed([A, B, C], chain) == {}
    assert needed([A, B], chain) == {A: over(A, B), B: over(B, C)}
    assert needed([A, B, C], [*chain, used(C)]) == {A: over(A, B), B: over(B, C), C: used(C)}


def test_where_the_host_does_not_say_any_file_is_needed():
    unknown = FileUse(path="", by="/srv/stopped", domain=None)
    assert needed([A, B], [unknown, used(A)]) == {A: unknown, B: unknown}


def test_the_owner_reads_which_are_left_and_nothing_of_others():
    a, b = VolumeRef("p", "a.qcow2"), VolumeRef("p", "b.qcow2")
    unknown = FileUse(path="", by="/srv/stopped", domain=None)
    assert (
        left_note({b: used(B), a: used(A)}) == "Used by others on the host, and so left where it is: a.qcow2, b.qcow2."
    )
    assert left_note({a: unknown}) == (
        "Perhaps used by others, which the host does not say, and so left where it is: a.qcow2."
    )
    assert left_note({a: unknown, b: used(B)}).count(".") == 4
    assert left_note({}) == ""
