"""What a guest's end costs on its host: its rules go without Python, before libvirt tells that it is off."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hosts.drivers.libvirt import places
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.elements import to_text
from tests.drivers.test_xml_golden import make_spec, paths_for

HOOKS = Path(places.__file__).parent / "hooks"
NAME = make_spec().domain_name
# $1: the hooks, $2: a folder with nothing but the script, $3: the domain's XML, $4: its name
SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
"$1/qemu" "$4" prepare begin - <"$3"
nft list table bridge innkeeper | grep -c '^.chain g_'
"$2/qemu" "$4" release end - <"$3"
nft list table bridge innkeeper | grep -c '^.chain g_' || true
ls /run/innkeeper-rules
! "$2/qemu" "$4" release end - <"$3" 2>/dev/null || echo not noted, and no Python: a wonder
"$1/qemu" "$4" release end - <"$3"
echo well
"""


@pytest.fixture
def lonely(tmp_path: Path) -> Path:
    """Return a folder with the script alone: whatever it hands on to Python fails."""
    shutil.copy(HOOKS / "qemu", tmp_path)
    return tmp_path


def test_rules_of_a_guest_that_ended_go_without_python(lonely):
    spec = make_spec()
    xml = lonely / "domain.xml"
    xml.write_text(to_text(domain_xml(spec, paths_for(spec))))
    command = ["unshare", "--net", "--mount", "sh", "-c", SCRIPT, "sh", str(HOOKS), str(lonely), str(xml), NAME]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1", "0", "well"]
