"""The limiter of automatic actions, stopped: what its difference looks like while many servers wait."""

import json

from tests.browser.site import Site

LABEL = "Automatic actions have stopped"
FOUND = {"done": 3, "waiting": 7, "repair": 0, "suspend": 6, "delete": 1, "names": ["web-1", "web-2"]}
EXPECTED = {"at_most": 3, "minutes": 10}


def limiter_stop(site: Site) -> None:
    """List it as the panel would; nothing of the demo waits, so that it is gone when staff let all go on."""
    site.sql(
        "DELETE FROM vms_difference WHERE key = 'automatic-stopped'",
        "INSERT INTO vms_difference (id, created_at, updated_at, version, kind, severity, state, key, host_type, "
        "object_type, label, expected, found, last_seen_at, proofs, ignored_by, ignored_reason, closed_how, "
        "repair_asked_by) SELECT gen_random_uuid(), now(), now(), 1, 'automatic-stopped', 'high', 'open', "
        f"'automatic-stopped', '', 'panel', '{LABEL}', "
        f"'{json.dumps(EXPECTED)}', '{json.dumps(FOUND)}', now(), 1, '', '', '', ''",
    )
