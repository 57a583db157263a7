"""Phone numbers: what people and programs write, read as E.164.

A number is accepted when it is *possible*: a known country code and a full length for its country.
Whether it is assigned to anybody is not asked. Google's libphonenumber decides, at 30 µs a number; a
table made of its own data answers the clean numbers of an import in under 1 µs, with the same result.
"""

import re
from functools import cache
from typing import NamedTuple, NoReturn

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

E164_PATTERN = r"^\+[1-9][0-9]{4,14}$"

_FEWEST_DIGITS, _MOST_DIGITS = 5, 15  # as in the pattern
_LONGEST_TEXT = 100
_NANP = "1"  # the code that the US, Canada and the Caribbean share, told apart by area code
_NOT_GEOGRAPHIC = "001"  # the library's region of +800, +882 and the like

_DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_SPACES = "\t \u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
# Zero width and text direction: they come along when a number is copied from a phone or a page.
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2069\ufeff"
_SEPARATORS = str.maketrans("", "", f"{_DASHES}{_SPACES}{_INVISIBLE}.()[]/")

_quoted = re.compile(r'="([^"]*)"')  # how a spreadsheet is made to keep digits as text
_float = re.compile(r"(\+?[0-9]+)\.0")  # a number that went through a floating point type
# 1.2125551234E10 is a program's exact number; 1.21256E+10 is what Excel shows of one.
_scientific = re.compile(r"\+?([1-9])(?:[.,]([0-9]{1,30}))?[eE](\+?)([0-9]{1,2})")


class NumberRefused(Exception):
    """`code` is stable, `message` a sentence that does not repeat the number.

    Codes: required, not_a_number, rounded_number, unknown_country_code, too_short, too_long,
    country_not_called.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _CallingCode(NamedTuple):
    digits: str
    region: str  # the main one, whose lengths hold for the whole code
    shared: bool  # by several regions
    lengths: frozenset[int]  # of whole numbers, the code included
    prefix: re.Pattern[str] | None  # what is dialed first inside the country, such as 0


def normalise(text: str, countries: frozenset[str] = frozenset()) -> str:
    """The number as E.164 (`+12125551234`). `countries`: the ISO codes that may be called; none: any.

    Raises `NumberRefused`.
    """
    number = text[1:] if text[:1] == "+" else text
    if not (number.isascii() and number.isdigit()):
        number = _bare_digits(text)
    code = _calling_codes().get(number[:3])
    if code is None:
        _refuse_start(number)
    if len(number) in code.lengths and not _may_hold_prefix(code, number):
        e164 = f"+{number}"
    else:
        e164 = _read_by_library(code, number)
    if countries:
        country = _country(code, e164)
        if country not in countries:
            raise NumberRefused(
                "country_not_called",
                f"This workspace does not call {country or 'numbers of no country'} "
                f"(country code {code.digits}). Is the number's own country code missing?",
            )
    return e164


def country_of(number: str) -> str:
    """The ISO code (`US`) of an E.164 number; empty for one of no country, such as +800."""
    code = _calling_codes().get(number[1:4])
    return _country(code, number) if code else ""


def digits(number: str) -> str:
    """An E.164 number as it is shown: `12125551234`."""
    return number[1:]


# --- From text to digits --------------------------------------------------------------------------


def _bare_digits(text: str) -> str:
    """The digits of a number written in any of the usual ways; raises `NumberRefused`."""
    text = text.strip().removeprefix("'")
    if quoted := _quoted.fullmatch(text):
        text = quoted[1]
    if not text.strip():
        raise NumberRefused("required", "A phone number is required.")
    if text.startswith("="):
        raise NumberRefused("not_a_number", "It is a formula, not a phone number.")
    if len(text) <= _LONGEST_TEXT:
        if scientific := _scientific.fullmatch(text):
            return _expanded(scientific)
        if floating := _float.fullmatch(text):
            text = floating[1]
        number = text.translate(_SEPARATORS).removeprefix("+")
        if number.isascii() and number.isdigit():
            return number
    raise NumberRefused(
        "not_a_number",
        "A phone number has only digits, with an optional + before them and spaces, dashes, dots, "
        "brackets or slashes between them.",
    )


def _expanded(scientific: re.Match[str]) -> str:
    first, fraction, sign, power = scientific[1], scientific[2] or "", scientific[3], scientific[4]
    exponent = int(power)
    if sign and len(fraction) < exponent:
        raise NumberRefused(
            "rounded_number",
            "The spreadsheet has rounded the number to scientific notation and lost digits: "
            "format the column as text, enter the numbers again and save anew.",
        )
    if fraction[exponent:].strip("0"):
        raise NumberRefused("not_a_number", "A phone number has no decimals.")
    return first + fraction[:exponent].ljust(exponent, "0")


def _refuse_start(number: str) -> NoReturn:
    if number.startswith("0"):
        raise NumberRefused(
            "unknown_country_code",
            "It starts with 0, which no country code does: write the country code first, "
            "without 0 or 00 before it.",
        )
    if len(number) < _FEWEST_DIGITS:
        raise _too_short()
    raise NumberRefused("unknown_country_code", "It starts with no country code that exists.")


def _too_short() -> NumberRefused:
    return NumberRefused("too_short", "It is too short for a number with its country code.")


# --- From digits to a number ----------------------------------------------------------------------


@cache
def _calling_codes() -> dict[str, _CallingCode]:
    """By the first three digits of a number: no code is the beginning of another."""
    found = {}
    for country_code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, regions[0])
        # The codes are the metadata's own.
        assert metadata is not None and metadata.general_desc is not None  # noqa: S101, PT018
        start = str(country_code)
        prefix = metadata.national_prefix_for_parsing
        totals = {len(start) + length for length in metadata.general_desc.possible_length}
        code = _CallingCode(
            digits=start,
            region="" if regions[0] == _NOT_GEOGRAPHIC else regions[0],
            shared=len(regions) > 1,
            lengths=frozenset(total for total in totals if total <= _MOST_DIGITS),
            prefix=re.compile(prefix) if prefix else None,
        )
        free = 3 - len(start)
        found.update(
            {f"{start}{rest:0{free}}" if free else start: code for rest in range(10**free)}
        )
    return found


def _may_hold_prefix(code: _CallingCode, number: str) -> bool:
    """Whether the number may be written with the prefix for calls inside its country: +44 (0)20 …"""
    if code.prefix is None:
        return False
    start = len(code.digits)
    found = code.prefix.match(number, start)
    return found is not None and found.end() > start


def _read_by_library(code: _CallingCode, number: str) -> str:
    """With the national prefix taken away; raises `NumberRefused`."""
    try:
        e164 = _parsed(code, number)
        # A second prefix would go at the next reading: nobody knows what is meant then.
        if _parsed(code, e164[1:]) != e164:
            raise NumberRefused(
                "not_a_number", "It repeats the prefix for calls inside its country."
            )
    except NumberParseException as error:
        if error.error_type == NumberParseException.TOO_LONG:
            raise _wrong_length("too_long", code) from None
        raise _wrong_length("too_short", code) from None
    return e164


def _parsed(code: _CallingCode, number: str) -> str:
    parsed = phonenumbers.parse(f"+{number}")
    verdict = phonenumbers.is_possible_number_with_reason(parsed)
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if verdict == ValidationResult.TOO_LONG or len(e164) > _MOST_DIGITS + 1:
        raise _wrong_length("too_long", code)
    if verdict != ValidationResult.IS_POSSIBLE:
        raise _wrong_length("too_short", code)
    return e164


def _wrong_length(error: str, code: _CallingCode) -> NumberRefused:
    *others, last = (str(total - len(code.digits)) for total in sorted(code.lengths))
    lengths = f"{', '.join(others)} or {last}" if others else last
    return NumberRefused(
        error, f"After the country code {code.digits} come {lengths} digits, not as many as here."
    )


# --- From a number to its country -----------------------------------------------------------------


def _country(code: _CallingCode, e164: str) -> str:
    if not code.shared:
        return code.region
    if code.digits == _NANP:
        return _country_of_area(code, e164[2:5])
    national = e164[1 + len(code.digits) :]
    return _region(code, national) or code.region


@cache
def _country_of_area(code: _CallingCode, area: str) -> str:
    """By the first of some subscriber numbers that the library knows in the area.

    A whole number would not do: it knows no region for 555 numbers of some area codes.
    """
    for subscriber in ("2002000", "2345678", "5551234", "9201234"):
        if region := _region(code, area + subscriber):
            return region
    return code.region


def _region(code: _CallingCode, national: str) -> str | None:
    zeros = len(national) - len(national.lstrip("0"))
    number = PhoneNumber(
        country_code=int(code.digits),
        national_number=int(national),
        italian_leading_zero=bool(zeros),
        number_of_leading_zeros=zeros or None,
    )
    return phonenumbers.region_code_for_number(number)
