"""The schema is true: what it allows is answered as it says, what it forbids is refused.

Schemathesis makes the requests, right and wrong ones, and compares each answer with the schema.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from config.api.views import ApiSchemaView
from config.wsgi import application
from tests.cast import Person

CONFIG = SchemathesisConfig.from_dict(
    {
        # A body of the right shape may name things that do not exist (callingNumbers): a fair 400.
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "4xx"]}},
        "generation": {
            "allow-extra-parameters": False,  # an unknown query parameter is ignored, not refused
            "with-security-parameters": False,  # the tests send the credentials
        },
    }
)
schema = schemathesis.openapi.from_dict(
    ApiSchemaView.generator_class().get_schema(public=True), config=CONFIG
)
schema.app = application
examples_of_one_test_share_the_cast = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
quick = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=examples_of_one_test_share_the_cast,
)
thorough = settings(quick, max_examples=200, derandomize=False)


@pytest.fixture(autouse=True)
def _connection_of_the_test() -> Iterator[None]:
    """As Django's own test client does: a request must not end the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def takes_tokens_only(context: Any) -> bool:
    return bool(context.operation.definition.raw.get("security") == [{"bearerAuth": []}])


@schema.exclude(takes_tokens_only).parametrize()
@quick
def test_the_answers_to_a_key_are_the_documented_ones(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_key)


@schema.parametrize()
@quick
def test_the_answers_to_a_token_are_the_documented_ones(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_token)


@pytest.mark.slow
@schema.parametrize()
@thorough
def test_many_more_answers_to_a_token(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_token)
