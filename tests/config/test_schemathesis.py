"""The schema is true: what it allows is answered as it says, what it forbids is refused.

Schemathesis makes the requests, right and wrong ones, and compares each answer with the schema.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.schemas import OpenApiSchema

from config.api.views import ApiSchemaView
from config.wsgi import application
from tests import factories
from tests.cast import Person


def load_schema(**checks: Any) -> OpenApiSchema:
    """Our schema, asked of our application. `checks`: settings of Schemathesis' checks, by name."""
    config = {
        # A body of the right shape may name things that do not exist (callingNumbers): a fair 400.
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "4xx"]},
            **checks,
        },
        "generation": {
            "allow-extra-parameters": False,  # an unknown query parameter is ignored, not refused
            "with-security-parameters": False,  # the tests send the credentials
        },
    }
    schema = schemathesis.openapi.from_dict(
        # A copy: Schemathesis adds links of its own to what is shared with the document that is served.
        deepcopy(ApiSchemaView.generator_class().get_schema(public=True)),
        config=SchemathesisConfig.from_dict(config),
    )
    schema.app = application
    return schema


schema = load_schema()
# In a chain the credentials are added to each request, also to one that is meant to be without; and
# nothing comes after a logout.
chained = load_schema(ignored_auth={"enabled": False}).exclude(operation_id="logout")
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


@schema.parametrize()
@quick
def test_the_answers_to_a_token_are_the_documented_ones(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_token)


@pytest.mark.slow
@schema.parametrize()
@thorough
def test_many_more_answers_to_a_token(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_token)


@pytest.mark.slow
@schema.exclude(takes_tokens_only).parametrize()
@quick
def test_the_answers_to_a_key_are_the_documented_ones(case: Any, owner: Person) -> None:
    case.call_and_validate(headers=owner.with_key)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_chains_of_requests_are_answered_as_documented(owner: Person) -> None:
    """What one answers is what the next one asks about, by the links of the schema and by others that
    Schemathesis finds itself.
    """
    agent = factories.AgentFactory.create(workspace=owner.workspace)
    factories.PhoneNumberFactory.create(workspace=owner.workspace, agent=agent)
    done = Counter[str]()

    class Chains(chained.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            # Each chain meets the same database: what one has done must not change how another goes.
            self.undone = ExitStack()
            self.undone.enter_context(transaction.atomic())
            self.undone.callback(transaction.set_rollback, True)

        def teardown(self) -> None:
            self.undone.close()
            super().teardown()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": owner.with_token}

        def after_call(self, response: Any, case: Any) -> None:
            if response.status_code < 300:
                done[case.operation.label] += 1

    run_state_machine_as_test(
        Chains, settings=settings(thorough, max_examples=60, stateful_step_count=12)
    )
    about_one_thing = [label for label in done if "{" in label]
    assert len(about_one_thing) > 5, done  # chains came about, not only first requests
