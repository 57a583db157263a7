"""Which time zone names count."""

from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError

# In the IANA data, but no place: `Factory` means "not set", `localtime` whatever the server has.
_NOT_PLACES = {"Factory", "localtime"}


@cache
def timezone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_PLACES)


def validate_timezone(name: str) -> None:
    if name not in timezone_names():
        raise ValidationError(
            "“%(name)s” is not an IANA time zone name.",
            code="unknown_timezone",
            params={"name": name},
        )
