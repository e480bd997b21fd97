"""``/audit`` and the trail itself: complete, filtered, never changed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from panel.core.actors import SYSTEM
from panel.core.audit import LIMIT_BYTES, audit_record
from panel.core.models import AuditEntry
from tests import factories
from tests.client import problem

pytestmark = pytest.mark.django_db


def refused(statement: str) -> None:
    """Assert that the database refuses to change the trail."""
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_entries_are_never_changed_or_deleted():
    audit_record(actor=SYSTEM, action="test.done")
    for statement in ("UPDATE core_auditentry SET action = 'x'", "DELETE FROM core_auditentry"):
        refused(statement)
    assert AuditEntry.objects.get().action == "test.done"


def test_entries_lie_in_monthly_partitions_and_old_months_go():
    with connection.cursor() as cursor:
        cursor.execute("SELECT innkeeper_audit_partitions(2, 1200)")
        cursor.execute("SELECT relname FROM pg_class WHERE relname ~ '^core_auditentry_[0-9]{4}_[0-9]{2}$'")
        months = {name for (name,) in cursor.fetchall()}
        audit_record(actor=SYSTEM, action="test.done")
        cursor.execute("SELECT tableoid::regclass::text FROM core_auditentry")
        assert cursor.fetchone()[0] == f"core_auditentry_{datetime.now(UTC):%Y_%m}"
        assert len(months) >= 3
        cursor.execute(
            "CREATE TABLE core_auditentry_2001_01 PARTITION OF core_auditentry "
            "FOR VALUES FROM ('2001-01-01') TO ('2001-02-01')"
        )
        cursor.execute("SELECT innkeeper_audit_partitions(2, 24)")
        cursor.execute("SELECT to_regclass('core_auditentry_2001_01')")
        assert cursor.fetchone()[0] is None
    assert AuditEntry.objects.count() == 1


def test_what_lies_in_no_month_is_moved_to_its_own():
    later = datetime.now(UTC).replace(day=15) + timedelta(days=200)
    past = datetime(2001, 1, 15, tzinfo=UTC)
    for at in (later, later + timedelta(days=40), past):
        AuditEntry.objects.create(at=at, action="test.done", actor_kind="system", actor_label="system")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_auditentry_default")
        assert cursor.fetchone()[0] == 3
        for _ in range(2):
            cursor.execute("SELECT innkeeper_audit_partitions(9, 24)")
        cursor.execute("SELECT tableoid::regclass::text FROM core_auditentry ORDER BY at")
        assert [name for (name,) in cursor.fetchall()] == [
            f"core_auditentry_{at:%Y_%m}" for at in (later, later + timedelta(days=40))
        ]
        cursor.execute("SELECT to_regclass('core_auditentry_2001_01')")
        assert cursor.fetchone()[0] is None
    AuditEntry.objects.create(at=past, action="test.done", actor_kind="system", actor_label="system")
    for statement in ("DELETE FROM core_auditentry", "DELETE FROM core_auditentry_default"):
        refused(statement)


def test_only_changed_fields_are_kept_secrets_named_and_large_ones_cut():
    changes = {"name": ("a", "b"), "email": ("same", "same"), "root_password": (None, "hunter2"), "token": ("x", None)}
    entry = audit_record(actor=SYSTEM, action="test.done", changes=changes)
    assert entry.changes == {"name": ["a", "b"], "root_password": [None, "(secret)"], "token": ["(secret)", None]}
    entry = audit_record(actor=SYSTEM, action="test.done", changes={"user_data": ("", "x" * LIMIT_BYTES)})
    assert entry.changes == {"user_data": ["…", "…"]}


def test_filters(operator_api, customer):
    actor = factories.actor_make(factories.staff_make(email="boss@house.example"))
    one = audit_record(
        actor=actor, action="customer.created", object_type="customer", object_id=customer.pk, customer_id=customer.pk
    )
    audit_record(actor=SYSTEM, action="guest.created", customer_id=customer.pk)
    audit_record(actor=SYSTEM, action="user.login", outcome="refused")
    one.refresh_from_db()
    begin = (one.at - timedelta(seconds=1)).isoformat()
    end = (one.at + timedelta(microseconds=1)).isoformat()
    for query, expected in (
        ({"actor": str(actor.user_id)}, {"customer.created"}),
        ({"actor": str(actor.client_id)}, {"customer.created"}),
        ({"actor": "BOSS@"}, {"customer.created"}),
        ({"object": customer.pk}, {"customer.created"}),
        ({"object_type": "customer"}, {"customer.created"}),
        ({"customer": customer.pk}, {"customer.created", "guest.created"}),
        ({"action": "guest.created"}, {"guest.created"}),
        ({"action": "customer."}, {"customer.created"}),
        ({"outcome": "refused"}, {"user.login"}),
        ({"since": begin, "until": end}, {"customer.created"}),
        ({"until": "2001-01-01T00:00:00Z"}, set()),
    ):
        body = operator_api.get("/audit", **query).json()
        found = {row["action"] for row in body["results"]} - {"token.used-from-new-address"}
        assert found == expected, query
    for name, value in (("object", "x"), ("since", "yesterday"), ("outcome", "maybe"), ("who", "me")):
        problem(operator_api.get("/audit", **{name: value}), 400, "invalid_input", name)


def test_pages_of_the_trail_are_complete(operator_api):
    for number in range(7):
        audit_record(actor=SYSTEM, action="test.done", object_label=str(number))
    seen, cursor = [], None
    while True:
        body = operator_api.get("/audit", action="test.done", limit=3, cursor=cursor).json()
        seen += [row["object"]["label"] for row in body["results"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert sorted(seen) == [str(number) for number in range(7)]
    assert len(seen) == 7


def test_customers_and_billing_systems_do_not_read_it(owner_api, billing_api):
    for api in (owner_api, billing_api):
        problem(api.get("/audit"), 403, "permission_denied")
