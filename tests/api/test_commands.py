"""Commands that make the first administrator and give back access."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from panel.core.models import ApiToken, AuditEntry, Customer, User
from tests.client import ApiUser

pytestmark = pytest.mark.django_db


def run(name: str, **options) -> str:
    out = StringIO()
    call_command(name, stdout=out, **options)
    return out.getvalue()


def test_the_first_admin_is_made_once_with_the_house_customer():
    email, password = run("first_admin").split()
    assert email == "admin@localhost"
    assert User.objects.get(email=email).check_password(password)
    assert Customer.objects.get(is_house=True).name == "House"
    assert run("first_admin", email="other@example.com") == ""
    assert User.objects.count() == 1
    assert User.objects.get().check_password(password)
    assert Customer.objects.count() == 1


def test_a_new_password_replaces_the_old_one():
    email, before = run("first_admin", email="boss@example.com").split()
    printed, after = run("admin_password").split()
    assert printed == email == "boss@example.com"
    user = User.objects.get()
    assert user.check_password(after)
    assert not user.check_password(before)
    assert AuditEntry.objects.filter(action="user.password-reset-on-the-machine", object_id=user.pk).count() == 1


def test_the_printed_token_works_and_only_its_hmac_is_kept():
    run("first_admin")
    value = run("api_token").strip()
    assert len(value) == 64
    assert value.isalnum()
    assert value.isascii()
    assert ApiUser(value).get("/me").json()["staff_role"] == "admin"
    kept = ApiToken.objects.get()
    assert value[:16] == kept.prefix
    assert value[16:] not in str(kept.__dict__)
    assert ApiUser(value[:-1] + ("a" if value[-1] != "a" else "b")).get("/me").status_code == 401


def test_without_an_administrator_both_say_what_to_do():
    for name in ("admin_password", "api_token"):
        with pytest.raises(CommandError, match="first_admin"):
            run(name)
