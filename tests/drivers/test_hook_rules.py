"""The hook scripts without a host: what they read, and which rules they write."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType

import pytest

from hosts.drivers.libvirt import places
from hosts.drivers.libvirt.hook import QUESTION_PREFIX, VERSION
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.probe import question_element
from hosts.drivers.types import CONTAINER_ROOT_UID, HostType
from tests.drivers.test_xml_golden import GUEST_ID, LXC, make_spec, paths_for

HOOKS = Path(places.__file__).parent / "hooks"
NAME = make_spec().domain_name


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The hook's modules by name. They are installed flat, so they import each other flat."""
    monkeypatch.syspath_prepend(str(HOOKS))
    names = [path.stem for path in HOOKS.glob("innkeeper_*.py")]
    yield {name: __import__(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def read(hooks: dict[str, ModuleType], tmp_path: Path, **changes):
    """Read a container's XML as the hook does. Its images exist."""
    spec = make_spec(**LXC, **changes)
    text = to_text(domain_xml(spec, paths_for(spec)))
    for image in ("root", "seed"):
        (tmp_path / image).touch()
    return hooks["innkeeper_guest"].read_domain(NAME, text.replace("/srv/guests/", f"{tmp_path}/"))


def test_the_hook_reads_what_the_driver_writes(hooks, tmp_path):
    guest = read(hooks, tmp_path, max_processes=200)

    assert guest.name == NAME
    assert [(nic.device, nic.mac, nic.addresses) for nic in guest.nics] == [
        ("ik525400123456", "52:54:00:12:34:56", (ip_address("10.90.0.7"), ip_address("fd00:90::7")))
    ]
    assert guest.mounts == (
        (f"{tmp_path}/root", places.container_root(NAME), False),
        (f"{tmp_path}/seed", places.container_seed(NAME), True),
    )
    assert guest.max_processes == 200


def test_driver_and_hook_agree_on_places_and_version(hooks):
    guest = hooks["innkeeper_guest"]
    assert guest.STATE_DIRECTORY == places.STATE_DIRECTORY
    assert guest.MOUNTS_DIRECTORY == places.MOUNTS_DIRECTORY
    assert guest.CONSOLE_DIRECTORY == places.CONSOLE_DIRECTORY
    assert hooks["innkeeper_console"].log_of("x") == f"{places.CONSOLE_DIRECTORY}/{places.console_log_name('x')}"
    assert hooks["innkeeper_answers"].VERSION == VERSION
    assert (HOOKS / Path(places.CONTAINER_EMULATOR).name).is_file()
    assert hooks["innkeeper_cgroups"].CONTAINER_ROOT_UID == CONTAINER_ROOT_UID


def test_a_question_is_read_and_other_domains_are_left_alone(hooks):
    read_domain = hooks["innkeeper_guest"].read_domain
    for host_type in (HostType.KVM, HostType.LXC):
        xml = question_element(
            host_type=host_type, name=f"{QUESTION_PREFIX}1", uuid=GUEST_ID, kind="leftovers", about=NAME
        )
        assert read_domain(f"{QUESTION_PREFIX}1", to_text(xml)) == ("leftovers", NAME, (), (), ())
    assert read_domain("innkeeper-foreign", "<domain><metadata/></domain>") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("52:54:00:12:34:56", "52:54:00:12:34:5g"),
        ('mac="52:54:00:12:34:56" anti', 'mac="52:54:00:12:34:56 accept" anti'),
        (">10.90.0.7<", ">10.90.0.7 }; accept<"),
        (">fd00:90::7<", ">fd00:90::7%1 } accept; add rule<"),
        ('device="ik525400123456"', 'device="ik0; flush ruleset"'),
        (places.container_root(NAME), "/etc"),
        (places.container_root(NAME), f"{places.MOUNTS_DIRECTORY}/{NAME}/../../etc"),
    ],
)
def test_what_could_end_up_in_a_command_is_refused(hooks, tmp_path, old, new):
    spec = make_spec(**LXC)
    text = to_text(domain_xml(spec, paths_for(spec))).replace("/srv/guests/", f"{tmp_path}/")
    (tmp_path / "root").touch()
    (tmp_path / "seed").touch()
    assert old in text
    with pytest.raises((hooks["innkeeper_guest"].HookError, ValueError)):
        hooks["innkeeper_guest"].read_domain(NAME, text.replace(old, new))


def test_rules_of_a_guest(hooks):
    guest, rules = hooks["innkeeper_guest"], hooks["innkeeper_rules"]
    addresses = tuple(map(ip_address, ("10.90.0.7", "10.90.0.9", "fd00:90::7")))
    nic = guest.Nic(device="ik525400123456", mac="52:54:00:12:34:56", addresses=addresses)

    assert str(rules.link_local(nic.mac)) == "fe80::5054:ff:fe12:3456"
    assert rules.allowed(nic) == [
        "ether saddr != 52:54:00:12:34:56 drop",
        "ether type { 8021q, 8021ad } drop",
        "arp saddr ether 52:54:00:12:34:56 arp saddr ip { 10.90.0.7, 10.90.0.9 } accept",
        "arp operation request arp saddr ether 52:54:00:12:34:56 arp saddr ip 0.0.0.0 "
        "arp daddr ip { 10.90.0.7, 10.90.0.9 } accept",
        "ether type ip udp sport 67 drop",
        "ip saddr { 10.90.0.7, 10.90.0.9 } accept",
        "icmpv6 type { nd-router-advert, nd-redirect } drop",
        "ip6 saddr { fd00:90::7, fe80::5054:ff:fe12:3456 } icmpv6 type nd-neighbor-advert "
        "@th,64,128 0xfd000090000000000000000000000007 accept",
        "ip6 saddr { fd00:90::7, fe80::5054:ff:fe12:3456 } icmpv6 type nd-neighbor-advert "
        "@th,64,128 0xfe80000000000000505400fffe123456 accept",
        "icmpv6 type nd-neighbor-advert drop",
        "ether type ip6 udp sport 547 drop",
        "ip6 saddr { fd00:90::7, fe80::5054:ff:fe12:3456 } accept",
        "ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 0xfd000090000000000000000000000007 accept",
        "ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 0xfe80000000000000505400fffe123456 accept",
        "ip6 saddr :: icmpv6 type { mld-listener-report, mld2-listener-report } accept",
        "drop",
    ]


def test_a_nic_without_addresses_may_send_nothing_but_its_link_local_address(hooks):
    guest, rules = hooks["innkeeper_guest"], hooks["innkeeper_rules"]
    text = "\n".join(rules.allowed(guest.Nic(device="ik1", mac="52:54:00:12:34:56", addresses=())))
    assert "arp" not in text
    assert "ip saddr" not in text
    assert text.endswith("\ndrop")


def test_version_2_has_systemd_limit_the_scope_of_the_machine(hooks, tmp_path, monkeypatch):
    cgroups, ran = hooks["innkeeper_cgroups"], []
    monkeypatch.setattr(cgroups, "ROOT", str(tmp_path))
    monkeypatch.setattr(cgroups, "run", lambda *command: ran.append(command))
    scope = "machine-lxc\\x2d42\\x2dinnkeeper.scope"
    paths = {42: f"/machine.slice/{scope}/libvirt", 43: "/user.slice/user-0.slice/session-1.scope"}
    monkeypatch.setattr(cgroups, "_group_of", paths.__getitem__)
    assert not cgroups.has_version_1()

    cgroups.prepare(NAME, 200)
    cgroups.started(NAME, 200, 42)

    assert ran == [("systemctl", "set-property", "--runtime", "--", scope, "TasksMax=200")]
    with pytest.raises(hooks["innkeeper_guest"].HookError, match="no scope of its own"):
        cgroups.started(NAME, 200, 43)
    assert cgroups.groups_of(NAME) == []
    assert "no control groups" in cgroups.obstacle()


@pytest.mark.parametrize("script", ["qemu", "lxc"])
@pytest.mark.parametrize(
    ("name", "metadata", "status"),
    [
        ("innkeeper-3b0c6c0e8a4f", 'xmlns:i="urn:innkeeper:guest:1"', 1),
        ("legacy_web.01", 'xmlns:i="urn:innkeeper:guest:1"', 1),  # taken over: it keeps its name
        ("legacy_web.01", 'xmlns:i="urn:somebody"', 0),
    ],
)
def test_the_script_looks_at_what_is_ours_or_was_taken_over(script, name, metadata, status):
    """Known by its refusal: an interface of this name is none."""
    xml = f"<domain><uuid>3b0c6c0e-8a4f-4c8e-9b7e-0c2d6d3c8f10</uuid><metadata><i:guest {metadata}>"
    xml += '<i:nic device="not one" mac="x" anti_spoofing="yes"/></i:guest></metadata></domain>'
    command = ["sh", str(HOOKS / script), name, "prepare", "begin", "-"]
    done = subprocess.run(command, input=xml, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr


def test_a_file_is_known_by_all_its_names_and_by_the_directories_it_is_in(hooks, tmp_path):
    folder, link, disk = tmp_path / "disks", tmp_path / "link", tmp_path / "disks" / "web.qcow2"
    folder.mkdir()
    for path in (disk, folder / "other"):
        path.touch()
    (tmp_path / "hard").hardlink_to(disk)
    link.symlink_to(folder)
    names = ("/", "/nonexistent", str(tmp_path / "hard"), str(link / "web.qcow2"), str(link), str(folder / "other"))
    xml = question_element(
        host_type=HostType.KVM, name=f"{QUESTION_PREFIX}1", uuid=GUEST_ID, kind="same_files",
        about=f"{QUESTION_PREFIX}none", wanted=(str(disk), str(link / "gone")), named=names,
    )  # fmt: skip
    question = hooks["innkeeper_guest"].read_domain(f"{QUESTION_PREFIX}1", to_text(xml))
    assert hooks["innkeeper_answers"].answer(question) == "INNKEEPER-ANSWER [[2, 3, 4], [4]]"
