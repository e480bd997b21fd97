"""A failed job that could not be tried again says so before anybody asks, with the sentence of the refusal."""

import uuid
from typing import Any

import pytest

from panel.core.models import Job, JobStatus
from tests import factories, stock
from tests.client import problem, queries_of
from vms.models import Difference, Guest
from vms.states import Lifecycle

pytestmark = pytest.mark.django_db
FAILED: dict[str, Any] = {"status": JobStatus.ERROR, "error_code": "driver_failed", "error_message": "It failed."}


@pytest.fixture
def guest(customer) -> Guest:
    return stock.guest_make(customer)


def failed(action: str, guest: Guest, **fields: Any) -> Job:
    return factories.job_make(customer=guest.customer, guest_id=guest.pk, action=action, **FAILED, **fields)


def refused(api, job: Job, sentence: str) -> None:
    """The page has no button but the reason, and who asks nevertheless is told the same."""
    shown = api.get(f"/jobs/{job.pk}").json()
    assert (shown["can_retry"], shown["retry_refusal"]) == (False, sentence)
    before = Job.objects.count()
    assert problem(api.post(f"/jobs/{job.pk}/actions/retry"), 409, "invalid_state")["detail"] == sentence
    assert Job.objects.count() == before


def offered(api, job: Job) -> None:
    shown = api.get(f"/jobs/{job.pk}").json()
    assert (shown["can_retry"], shown["retry_refusal"]) == (True, "")


def test_what_a_server_does_not_need_any_more(admin_api, guest):
    start, stop = failed("guest.start", guest), failed("guest.stop", guest)
    Guest.objects.filter(pk=guest.pk).update(power_state="running")
    refused(admin_api, start, "This cannot be done while the server is running.")
    offered(admin_api, stop)
    Guest.objects.filter(pk=guest.pk).update(lifecycle=Lifecycle.DELETED)
    refused(admin_api, stop, "The server has been deleted.")


def test_what_was_built_meanwhile(admin_api, guest):
    create, rebuild = failed("guest.create", guest), failed("guest.rebuild", guest, params={"build_number": 1})
    refused(admin_api, create, "This cannot be done while the server is active.")
    Guest.objects.filter(pk=guest.pk).update(build_number=3, lifecycle=Lifecycle.ERROR)
    refused(admin_api, create, "The server has been built since. Rebuild it instead.")
    refused(admin_api, rebuild, "The rebuild changed nothing. Ask for it anew.")
    Guest.objects.filter(pk=guest.pk).update(build_number=1)
    offered(admin_api, create)


@pytest.mark.parametrize("action", ["guest.resize", "guest.adopt"])
def test_what_jobs_of_before_have_not_kept(admin_api, guest, action):
    Guest.objects.filter(pk=guest.pk).update(power_state="shutoff")
    refused(admin_api, failed(action, guest), "This job has not kept what was asked for. Ask for it anew.")


def test_a_difference_that_is_gone(admin_api, guest):
    row = Difference.objects.create(
        kind="wrong-size", severity="medium", state="open", key="one", host=guest.host, host_type="kvm", label="box",
        object_type="guest", object_id=guest.pk, last_seen_at=guest.created_at,
    )  # fmt: skip
    repair = failed("guest.repair", guest, params={"difference": str(row.pk)})
    offered(admin_api, repair)
    Difference.objects.filter(pk=row.pk).update(state="closed")
    refused(admin_api, repair, "The difference is closed.")
    refused(admin_api, failed("guest.repair", guest, params={}), "The difference is closed.")
    adopt = failed("guest.adopt", guest, params={"asked": {"name": "erp", "nics": [], "over_limit": False}})
    refused(admin_api, adopt, "The difference is closed.")
    assert admin_api.get(f"/jobs/{adopt.pk}").json()["resources"][0]["name"] == guest.name


def test_what_has_no_button_at_all_says_what_to_do_instead(admin_api, guest):
    password, scrub = failed("guest.reset-root-password", guest), failed("guest.scrub-seed", guest)
    refused(admin_api, password, "Nothing keeps the password: ask for a new one at the server.")
    refused(admin_api, scrub, "The panel does this again by itself.")


def test_many_of_which_none_is_of_use(member_api, guest):
    customer = guest.customer
    parent = factories.job_make(customer=customer, action="guests.start", **FAILED)
    other = stock.guest_make(customer, host=guest.host)
    failed("guest.start", guest, parent=parent)
    failed("guest.start", other, parent=parent)
    Guest.objects.update(power_state="shutoff")
    offered(member_api, parent)
    Guest.objects.filter(pk=guest.pk).update(power_state="running")
    offered(member_api, parent)
    Guest.objects.filter(pk=other.pk).update(lifecycle=Lifecycle.DELETED)
    shown = member_api.get(f"/jobs/{parent.pk}").json()
    assert (shown["can_retry"], shown["retry_refusal"]) == (
        False,
        "None of the servers whose job failed can do this now.",
    )


def test_who_may_not_try_again_is_told_nothing(viewer_api, guest):
    Guest.objects.filter(pk=guest.pk).update(power_state="running")
    shown = viewer_api.get(f"/jobs/{failed('guest.start', guest).pk}").json()
    assert (shown["can_retry"], shown["retry_refusal"]) == (False, "")


def test_a_list_of_failed_jobs_costs_the_same_number_of_queries(admin_api, customer):
    def get() -> None:
        assert admin_api.get("/jobs").status_code == 200

    def all_kinds() -> None:
        guest = stock.guest_make(customer)
        parent = factories.job_make(customer=customer, action="guests.stop", **FAILED)
        failed("guest.stop", guest, parent=parent)
        for action in ("guest.start", "guest.rebuild", "guest.resize", "guest.repair", "guest.adopt"):
            failed(action, guest, params={"difference": str(uuid.uuid4()), "asked": {"name": "x"}})

    all_kinds()
    get()
    few = queries_of(get)
    for _ in range(4):
        all_kinds()
    assert queries_of(get) == few
