"""What people and spreadsheets write as a phone number, and what becomes of it."""

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from calling.numbers import E164_PATTERN, NumberRefused, country_of, digits, normalise

CALLING_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
any_digits = st.text("0123456789", min_size=1, max_size=17)
random_numbers = st.builds("{}{}".format, st.sampled_from(CALLING_CODES), any_digits)
likely_numbers = st.builds(  # of about the right length, a prefix now and then
    "{}{}{}".format,
    st.sampled_from(CALLING_CODES),
    st.sampled_from(["", "", "0", "1", "8", "06", "80", "00"]),
    st.text("0123456789", min_size=6, max_size=12),
)
anything = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+-. ()/=\"'eE,", max_size=30),
    st.from_regex(
        r'(=")?[+]?[0-9]{1,16}([.,][0-9]{0,12})?([eE][+-]?[0-9]{1,3})?"?', fullmatch=True
    ),
)


def refused(text: str, countries: frozenset[str] = frozenset()) -> str:
    with pytest.raises(NumberRefused) as caught:
        normalise(text, countries)
    assert caught.value.message.endswith((".", "?"))
    assert str(caught.value) == caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        "12125551234",
        "+12125551234",
        " +1 212 555 1234 ",
        "+1 (212) 555-1234",
        "1-212-555-1234",
        "1.212.555.1234",
        "1/212/555/1234",
        "(+1) [212] 555-1234",
        "+1\u00a0212\u2009555\u202f1234",  # no-break and thin spaces
        "+1\u2011212\u2013555\u22121234",  # the dashes of word processors
        "\u202a+1 212 555 1234\u202c",  # direction marks, as contacts apps copy them
        "\ufeff12125551234",
        "'12125551234",
        "'+1 212 555 1234",
        '="12125551234"',
        '="+1 212 555 1234"',
        "12125551234.0",
        "+12125551234.0",
        "1.2125551234E10",
        "1.2125551234e10",
        "1,2125551234E10",
        "1.2125551234E+10",
        "1.21255512340E+10",
        "+1 1 212 555 1234",  # with the 1 that is dialed first inside the country
    ],
)
def test_a_number_is_read_however_it_is_written(text: str) -> None:
    assert normalise(text) == "+12125551234"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+44 (0) 20 7946 0000", "+442079460000"),
        ("4402079460000", "+442079460000"),
        ("+54 11 15 2345 6789", "+5491123456789"),  # a mobile as dialed inside Argentina
        ("+39 06 6982 1234", "+390669821234"),  # Italy keeps its 0
        ("+7 800 555 35 35", "+78005553535"),
        ("+800 1234 5678", "+80012345678"),
        ("1.2E10", "+12000000000"),
    ],
)
def test_the_number_is_what_is_dialed_from_abroad(text: str, number: str) -> None:
    assert normalise(text) == number


@pytest.mark.parametrize("text", ["", " ", "\u00a0", "'", '=""', '=" "'])
def test_a_blank_is_a_missing_number(text: str) -> None:
    assert refused(text) == "required"


@pytest.mark.parametrize(
    "text",
    [
        "n/a",
        "-",
        "+",
        "+1 800 FLOWERS",
        "+1 212 555 1234 ext. 5",
        "12125551234, 13105552002",
        "12125551234;",
        "1+2125551234",
        "++12125551234",
        "=A1",
        "=1+2125551234",
        "１２１２５５５１２３４",  # full width
        "١٢١٢٥٥٥١٢٣٤",
        "1²125551234",
        "1.21255512345E10",
        "1.2E-10",
        "12125551234\x00",
        "12125551234\n13105552002",
        "1 " * 60,
        "+49 00 30 1234567",  # 0 twice: another 0 would go at each reading
    ],
)
def test_other_text_is_no_number(text: str) -> None:
    assert refused(text) == "not_a_number"


@pytest.mark.parametrize("text", ["1.21256E+10", "1,2E+10", "1E+10", "4.4207946E+11"])
def test_a_number_that_a_spreadsheet_has_rounded_is_told_apart(text: str) -> None:
    assert refused(text) == "rounded_number"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0012125551234", "unknown_country_code"),
        ("02079460000", "unknown_country_code"),
        ("+0", "unknown_country_code"),
        ("99912345678", "unknown_country_code"),
        ("21012345678", "unknown_country_code"),
        ("1", "too_short"),
        ("+1 555 1234", "too_short"),  # possible, but only inside its area
        ("+44", "too_short"),
        ("800123", "too_short"),
        ("+1 212 555 12345", "too_long"),
        ("+49 1234567890123456", "too_long"),
        ("1E99", "too_long"),
        ("12125551234.5", "too_long"),  # dots are separators
        ("+62 12345678901234567", "too_long"),  # possible in Indonesia, but not in E.164
    ],
)
def test_a_number_must_be_possible_for_its_country(text: str, code: str) -> None:
    assert refused(text) == code


@pytest.mark.parametrize("number", ["12125551234", "13105552002", "12125551001"])
def test_whether_a_number_is_assigned_is_not_asked(number: str) -> None:
    assert normalise(number, frozenset({"US"})) == f"+{number}"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("+12125551234", "US"),
        ("+13105552002", "US"),
        ("+19995551234", "US"),  # no area: the code's main country
        ("+14165551234", "CA"),
        ("+18095551234", "DO"),
        ("+18765551234", "JM"),
        ("+442079460000", "GB"),
        ("+447781123456", "GG"),
        ("+79161234567", "RU"),
        ("+77272123456", "KZ"),
        ("+390612345678", "IT"),
        ("+493012345678", "DE"),
        ("+2250123456789", "CI"),
        ("+80012345678", ""),  # freephone of no country
        ("+9991234567", ""),
    ],
)
def test_each_number_has_its_country(text: str, country: str) -> None:
    assert country_of(text) == country


def test_a_country_that_is_not_called_is_refused() -> None:
    called = frozenset({"US", "GB"})
    assert normalise("+442079460000", called) == "+442079460000"
    assert refused("+14165551234", called) == "country_not_called"
    assert refused("+80012345678", called) == "country_not_called"
    # A US number without its 1 would ring somebody in the Netherlands.
    assert refused("3105552002", called) == "country_not_called"
    assert normalise("3105552002") == "+315552002"


def test_digits_are_the_number_without_its_plus() -> None:
    assert digits("+12125551234") == "12125551234"


@pytest.mark.parametrize(
    "text",
    ["+1 212 555 12345", "0012125551234", "2101234567890", "+49 00 30 1234567", "3105552002"],
)
def test_no_message_repeats_the_number(text: str) -> None:
    with pytest.raises(NumberRefused) as caught:
        normalise(text, frozenset({"US"}))
    assert re.search(r"\d{4}", caught.value.message) is None


def as_the_library_reads(number: str) -> str | None:
    """The answer without a table; None: impossible, or not even stable."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return e164 if possible and len(e164) <= 16 else None


@given(random_numbers | likely_numbers)
@example("5491123456789")
@example("541115123456")
@example("81000212345")
@example("11125551234")
@example("390000000000")
def test_the_table_and_the_library_agree(number: str) -> None:
    expected = as_the_library_reads(number)
    if expected and as_the_library_reads(expected[1:]) != expected:
        expected = None
    try:
        assert normalise(number) == expected
    except NumberRefused:
        assert expected is None


@given(likely_numbers)
def test_the_country_is_one_of_its_calling_code(number: str) -> None:
    try:
        e164 = normalise(number)
    except NumberRefused:
        return
    parsed = phonenumbers.parse(e164)
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[parsed.country_code or 0]
    country = country_of(e164)
    assert (country or "001") in regions
    known = phonenumbers.region_code_for_number(parsed)
    if known and parsed.country_code != 1:  # there the area decides for all numbers in it
        assert (country or "001") == known
    assert not country or normalise(e164, frozenset({country})) == e164


@given(anything | random_numbers)
@example("=" * 200)
@example("1" * 10_000)
@example('="=""')
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        number = normalise(text)
    except NumberRefused:
        return
    assert re.fullmatch(E164_PATTERN, number)
    assert normalise(number) == number
    assert normalise(digits(number)) == number
