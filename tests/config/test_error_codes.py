"""docs/errors.md has every code that an answer can carry, and no other."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from batches.models import PauseReason
from config.api.envelope import TITLES
from config.api.error_codes import CODES, GROUPS
from config.api.error_page import STATUSES, page
from tests import routes
from tests.cast import unknown_codes
from tests.config.codes_in_sources import codes_in, sources
from tests.local.running_stack import PROJECT

# Codes that are not written where they are used, by the function that says them.
COMPUTED = {
    "batches/imports/excel_records.py:_records": {
        "encrypted_file",
        "broken_file",
        "sheet_too_large",
    },
    "batches/imports/records.py:_external_id": {
        *("invalid", "control_character", "blank", "max_length"),
    },
    "batches/imports/records.py:_name_errors": {"reserved_name", "invalid_name"},
    "batches/imports/records.py:check": {
        *("required", "invalid", "invalid_choice"),  # calling/variables.py
        *("too_deep", "too_large"),
    },
    "batches/imports/records.py:of": {"reserved_name", "invalid_name"},
    "batches/services/dialing.py:_start": {
        PauseReason.NO_NUMBER.value,
        PauseReason.KILL_SWITCH.value,
    },
    "calling/carriers/plivo.py:_refusal": set(),  # of a call
    "calling/carriers/telnyx.py:_refusal": set(),  # of a call
    "calling/carriers/twilio.py:_refusal": {"number_not_owned", "credentials_refused"},
    "calling/numbers.py:_wrong_length": {"too_short", "too_long"},
    "calling/services/verifying.py:verify": {"carrier_refused"},
    "config/api/exceptions.py:_error_data": set(),  # a default code of the exception
}
# Errors of fields of DRF, whose codes no request of ours can bring about.
NEVER = {
    "max_string_length": "JSON's integers and nine digits of a query are shorter",
    "overflow": "a time that UTC does not have is `invalid`",
    "make_aware": "a time without an offset is `invalid`",
    "date": "a date without a time is `invalid`",
    "no_name": "a part of a form without a file name is no file",
    "min_length": "an empty list is `empty` before it is too short",
}


def fields(serializer: Any) -> Iterator[Any]:
    """A serializer or field, and all inside of it."""
    yield serializer
    for field in getattr(serializer, "fields", {}).values():
        yield from fields(field)
    if child := getattr(serializer, "child", None):
        yield from fields(child)


def drf_codes() -> set[str]:
    """What DRF's own checks of the fields of our input can answer."""
    found: set[str] = set()
    for route in routes.routes():
        for declared in filter(None, (route.endpoint.body, route.endpoint.query)):
            for field in fields(declared()):
                found |= field.error_messages.keys()
                found |= {validator.code for validator in field.validators}
    return found - NEVER.keys()


def test_the_page_is_that_of_the_catalogue() -> None:
    """`make errors` writes it."""
    assert (PROJECT / "docs/errors.md").read_text() == page()


def test_every_code_of_the_sources_has_a_meaning_and_every_meaning_a_code() -> None:
    found = codes_in(sources())
    assert found.computed == COMPUTED.keys()
    used = found.literal.keys() | drf_codes()
    for codes in COMPUTED.values():
        used |= codes
    assert used - CODES.keys() == set(), "Add it to config/api/error_codes.py."
    assert CODES.keys() - used == set(), "Nothing says it any more."


def test_every_code_is_told_once_in_a_sentence() -> None:
    times = Counter(code for group in GROUPS for code in group.codes)
    assert {code for code, number in times.items() if number > 1} == set()
    for meaning in CODES.values():
        assert meaning.endswith(".")
        assert "|" not in meaning


def test_every_status_that_an_endpoint_documents_is_told() -> None:
    alternatives = {
        code
        for route in routes.routes()
        for code in {**route.endpoint.alternatives, **route.endpoint.errors}
    }
    assert {code for code in {*TITLES, *alternatives, 304} if code >= 207} == set(STATUSES)


def test_the_guard_of_all_tests_sees_codes_wherever_they_stand() -> None:
    row = {"field": "x", "code": "made_up", "message": "…"}
    known = {"field": "x", "code": "required", "message": "…"}
    assert unknown_codes({"data": {"errors": [known, row]}}) == {"made_up"}
    assert unknown_codes({"invalidRows": [{"row": 1, "errors": [row]}]}) == {"made_up"}
    assert unknown_codes({"data": {"warnings": [{"code": "dnc_off", "message": "…"}]}}) == set()
