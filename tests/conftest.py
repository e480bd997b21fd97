"""Fixtures of all tests: who calls, and services that belong to this run alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tests import factories
from tests.client import ApiUser


@pytest.fixture
def anonymous() -> ApiUser:
    """A caller without credentials."""
    return ApiUser()


@pytest.fixture
def api_of(db: None) -> Callable[..., ApiUser]:
    """Return an API caller with a fresh token of a person or an integration: ``api_of(user, scope="read")``."""

    def make(owner, **token) -> ApiUser:
        return ApiUser(factories.token_make(owner, **token).value)

    return make


@pytest.fixture
def browser_of(db: None) -> Callable[..., ApiUser]:
    """Return an API caller with a user's session, as the pages have it."""

    def make(user) -> ApiUser:
        browser = Client()
        browser.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return ApiUser(browser=browser)

    return make


@pytest.fixture
def customer(db: None):
    """A customer without members."""
    return factories.customer_make()


@pytest.fixture
def admin_api(api_of) -> ApiUser:
    """An administrator's API."""
    return api_of(factories.staff_make())


@pytest.fixture
def operator_api(api_of) -> ApiUser:
    """An operator's API (staff that read everything and change nothing)."""
    return api_of(factories.staff_make("operator"))


@pytest.fixture
def billing_api(api_of) -> ApiUser:
    """A billing system's API."""
    return api_of(factories.client_make())


@pytest.fixture
def owner_api(api_of, customer) -> ApiUser:
    """The API of the owner of ``customer``."""
    return api_of(factories.member_make(customer, "owner"))


@pytest.fixture
def member_api(api_of, customer) -> ApiUser:
    """The API of a member of ``customer``."""
    return api_of(factories.member_make(customer, "member"))


@pytest.fixture
def viewer_api(api_of, customer) -> ApiUser:
    """The API of a viewer of ``customer``."""
    return api_of(factories.member_make(customer, "viewer"))


@pytest.fixture
def stranger_api(api_of) -> ApiUser:
    """The API of the owner of another customer."""
    return api_of(factories.member_make(factories.customer_make(), "owner"))


@pytest.fixture
def expired_api(api_of, customer) -> ApiUser:
    """The API of an owner of ``customer`` whose token has expired."""
    owner = factories.member_make(customer, "owner")
    return api_of(owner, expires_at=timezone.now() - timedelta(seconds=1))


pytest_plugins = ["tests.simulated_fleet", "tests.real_hosts"]
