"""Every command of the guide for billing integrators works, in the guide's order, on a simulated host."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from panel.core.models import JobStatus
from tests.client import ApiUser
from tests.simulated_fleet import jobs_run
from tests.stock import plan_make

pytestmark = pytest.mark.django_db(transaction=True)
GUIDE = Path(settings.BASE_DIR) / "docs/guides/billing.md"
COMMAND = re.compile(
    r"""^call\ (?:-X\ (?P<verb>[A-Z]+)\ )?"?\$PANEL(?P<path>/[^\s"]+)"?   # call -X POST $PANEL/plans
        (?:\ +-d\ '(?P<body>[^']*)')?                                      # -d '{…}'
        (?:\ +\#[^\n]*)?$                                                  # a remark
    """,
    re.MULTILINE | re.VERBOSE,
)


def commands() -> list[tuple[str, str, str]]:
    """Return (method, path, body) of every command, variables not yet filled in."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("'$CLIENT'", "$CLIENT")
    return [(m["verb"] or "GET", m["path"], m["body"] or "") for m in COMMAND.finditer(lines)]


def test_the_guides_commands_work_in_their_order(fleet, admin_api):
    host = fleet.host()
    fleet.network(host)
    fleet.image(slug="debian-12", on=(host,))
    plan_make(slug="small", memory_mib=256, disk_gib=2)
    plan_make(slug="medium", memory_mib=512, disk_gib=4)
    known: dict[str, str] = {}
    shop: ApiUser | None = None
    sent = 0
    for verb, path, body in commands():
        for name, value in known.items():
            path, body = path.replace(f"${name}", value), body.replace(f"${name}", value)
        caller = admin_api if shop is None else shop
        response = caller.call(verb, path, json.loads(body) if body else None)
        assert response.status_code in (200, 201, 202), (verb, path, response.content)
        answer, sent = response.json(), sent + 1
        if path == "/clients":
            known["CLIENT"] = answer["id"]
        elif path == "/tokens":
            shop = ApiUser(answer["token"])
        elif path == "/customers":
            known["CUSTOMER"] = answer["id"]
        elif path == "/subscriptions":
            known |= {"ID": answer["subscription"]["id"], "GUEST": answer["guest"]["id"], "JOB": answer["job"]["id"]}
            assert answer["root_password"]
        assert {job.status for job in jobs_run()} <= {JobStatus.SUCCESS}, path
    assert sent == 21
