"""Listing a pool's volumes, on libvirt's own test driver: a libvirt without a hypervisor."""

from types import SimpleNamespace
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import pools, volumes


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Any:
    conn = libvirt.open("test:///default")
    made = conn.storagePoolLookupByName("default-pool")
    for name in ("a.img", "b.img"):
        made.createXML(f"<volume><name>{name}</name><capacity>1048576</capacity></volume>")
    monkeypatch.setattr(pools, "refresh", lambda pool: None)
    yield made
    conn.close()


def listed(pool: Any, found: list[Any]) -> list[str]:
    """List ``pool``, where libvirt has found these."""
    known = SimpleNamespace(listAllVolumes=lambda: found)
    session: Any = SimpleNamespace(conn=SimpleNamespace(storagePoolLookupByName=lambda name: known))
    return [volume.ref.name for volume in volumes.listing(session, pool.name())]


def test_a_volume_that_is_deleted_while_the_pool_is_listed_is_left_out(pool):
    found = pool.listAllVolumes()
    assert listed(pool, found) == ["a.img", "b.img"]
    pool.storageVolLookupByName("a.img").delete()
    assert listed(pool, found) == ["b.img"]


def test_any_other_error_is_told(pool):
    def fail() -> str:
        pool.storageVolLookupByName("a.img").resize(0, 12345)  # refused: a bad flag
        return ""

    with pytest.raises(libvirt.libvirtError):
        listed(pool, [SimpleNamespace(name=lambda: "a.img", XMLDesc=fail)])
