"""The OpenAPI description and the API agree: generated requests, right and wrong ones, to every operation."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.world import world_make

pytestmark = pytest.mark.django_db
EXAMPLES = 15
SEED = 20260101
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

described = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())
schema = described.exclude(path="/api/v1/events")  # a stream; needs the ASGI server
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
schema.config.phases.coverage.enabled = False  # thousands of cases, most alike; the seed stays the only source


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """Everything there is, on a connection that requests leave open, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with django_db_blocker.unblock(), transaction.atomic():
        yield world_make()
        transaction.set_rollback(True)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_does_what_its_description_says(case, world):
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = str(world.objects[name])
    with transaction.atomic():
        response = case.call(headers={"Authorization": f"Bearer {world.callers['admin'].token}"})
        transaction.set_rollback(True)
    case.validate_response(response, checks=CHECKS)
