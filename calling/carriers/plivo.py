"""Plivo: its Voice API, Plivo XML, and callbacks signed with its signature V3."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils import timezone
from plivo.utils.signature_v3 import validate_v3_signature  # type: ignore[import-untyped]

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.base import (
    AnsweredBy,
    Callback,
    CallExtras,
    CallProgress,
    CallReport,
    CallRequest,
    CarrierError,
    CarrierUnsure,
    Credentials,
    Detection,
    SignatureRefused,
)
from calling.carriers.http import CarrierApi, Response, refusal_of
from calling.carriers.xml import clean

RING_FOR = 45  # seconds
LONGEST_CALL = "14400"  # seconds: Plivo's own limit of a call; it would stop recording after 60
WAIT_FOR_KEY = "5"  # seconds, after the text: the least that Plivo takes
SOUND = "audio/x-mulaw;rate=8000"  # Plivo's pages differ about its default
EXTRA_HEADERS_FIT = 512  # bytes

STATUSES = {
    "queued": CallProgress.QUEUED,
    "ringing": CallProgress.RINGING,
    "in-progress": CallProgress.IN_PROGRESS,
    "completed": CallProgress.COMPLETED,
    "busy": CallProgress.BUSY,
    "no-answer": CallProgress.NO_ANSWER,
    "timeout": CallProgress.NO_ANSWER,
    "failed": CallProgress.FAILED,
    "cancel": CallProgress.CANCELED,
}

# How a call ended that was not answered, and whether its number is hopeless. The codes that are
# not here (0, 4000 and so on) leave that to the status.
CAUSES = {
    **dict.fromkeys((1000, 9000), (CallProgress.CANCELED, False)),
    # Rejected or declined by whoever was called is as busy.
    **dict.fromkeys((3010, 3020, 3100, 3110), (CallProgress.BUSY, False)),
    **dict.fromkeys((3000, 6010), (CallProgress.NO_ANSWER, False)),
    # No such number; or one that the account's settings bar.
    **dict.fromkeys((2000, 3050, 3120, 2030, 2040, 2050), (CallProgress.FAILED, True)),
    # The account (credits, limits, caller id), then the destination or its carrier, then Plivo.
    **dict.fromkeys((1010, 1020, 3030, 3130, 3140, 5030), (CallProgress.FAILED, False)),
    **dict.fromkeys((2010, 2020, 3040, 3070, 3080, 3090), (CallProgress.FAILED, False)),
    **dict.fromkeys((2060, 2070, 5000, 5010, 5020), (CallProgress.FAILED, False)),
}

# Plivo publishes statuses but no error codes, so its sentences have to tell. The first row that
# fits "status sentence" counts: our code, and whether it is of the account, as is what no row fits.
REFUSALS = (
    (r"^402 |\b(credits?|balance|funds)\b", "out_of_credit", True),
    (r"\b(geo|countr(y|ies)|destinations?|barred|same|overlap)\b", "destination_refused", False),
    (r"\b(from|account|caller|compliance)\b", "account_refused", True),
    (r"\b(blocked|(in|not a )valid .{0,9}number|to number)\b", "destination_refused", False),
)

# As Plivo's documentation prints them; with another one it refuses the whole document. The first of
# a language stands for its other countries.
LANGUAGES = (
    *("da-DK", "nl-NL", "en-US", "en-GB", "en-AU", "fr-FR", "fr-CA", "de-DE", "it-IT", "pl-PL"),
    *("pt-BR", "pt-PT", "ru-RU", "es-ES", "es-US", "sv-SE"),
)
VOICES = {"pt-PT": "MAN"}  # where there is none of Plivo's default, WOMAN

_NO_ACCOUNT = ("accSId", "credentials_refused", "The carrier knows no such account.")
_NOT_OWNED = ("phoneNumber", "number_not_owned", "The account does not own this number.")
_WITHOUT_VOICE = ("phoneNumber", "number_without_voice", "This number cannot make calls.")

_api = CarrierApi("plivo", "https://api.plivo.com")
_auth_id = re.compile(r"(MA|SA)[A-Z0-9]{18}")
_call_uuid = re.compile(r"[A-Za-z0-9-]{1,64}")
_e164 = re.compile(r"\+[1-9][0-9]{1,14}")
_plain = re.compile(r"(?!0x)[A-Za-z0-9]+")


class Plivo:
    """A call is known by the `request_uuid` of its placing, which of a single call is its CallUUID."""

    title = "Plivo"
    calls_per_second = 2
    asks_back = True

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        account = _path(credentials)
        try:
            response = await _send("GET", account, credentials)
            if response.status in {403, 404}:
                raise _wrong(*_NO_ACCOUNT)
            _check(response, credentials)
            if not _e164.fullmatch(number):
                raise _wrong(*_NOT_OWNED)
            response = await _send("GET", f"{account}Number/{number[1:]}/", credentials)
            if response.status == 404:
                raise _wrong(*_NOT_OWNED)
            _check(response, credentials)
        except CarrierUnsure as error:
            raise CarrierError(str(error), permanent=False, code="carrier_unreachable") from error
        if response.body.get("voice_enabled") is False:
            raise _wrong(*_WITHOUT_VOICE)
        return credentials

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        """Detection is Plivo's synchronous one: it decides before it asks at the answer URL.

        A machine is told there, and in all callbacks after it, as `Machine`; a human is not told.
        Plivo cannot wait for the end of a greeting, so `END` is as `START`. `records` is no matter of
        this request: Plivo records by the `record_url` of the answer.
        """
        path = f"{_path(credentials)}Call/"
        response = await _send(
            "POST", path, credentials, json=_order(request), not_after=request.not_after
        )
        if 400 <= response.status < 500 and response.status not in {401, 408, 429}:
            raise _refusal(response, credentials)
        _check(response, credentials)
        name = response.body.get("request_uuid")
        if not isinstance(name, str) or not _call_uuid.fullmatch(name):
            raise CarrierUnsure("The carrier took the call and did not name it.")
        return CallReport(progress=CallProgress.QUEUED, at=timezone.now(), carrier_call_id=name)

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        """Never None. What is looked up has usually ended, so that is asked for first."""
        path = f"{_path(credentials)}Call/{_checked(carrier_call_id)}/"
        for state in (None, {"status": "live"}, {"status": "queued"}):
            response = await _send("GET", path, credentials, params=state)
            if response.status != 404:
                _check(response, credentials)
                return _looked_up(response.body, carrier_call_id)
        raise CarrierUnsure("The carrier does not find a call that it has named.")

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        """Cancels the request to call, which is there until somebody answers."""
        path = f"{_path(credentials)}Request/{_checked(carrier_call_id)}/"
        response = await _send("DELETE", path, credentials)
        if response.status != 404:
            _check(response, credentials)

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        signature = callback.headers.get("x-plivo-signature-v3", "")
        nonce = callback.headers.get("x-plivo-signature-v3-nonce", "")
        if not (signature and nonce and credentials.auth_token):
            raise SignatureRefused("The callback is not signed.")
        try:
            form = parse_qs(callback.body.decode(), keep_blank_values=True, max_num_fields=200)
            is_good = validate_v3_signature(
                "POST", callback.url, nonce, credentials.auth_token, signature, form
            )
        except Exception as error:
            raise SignatureRefused("The callback's signature cannot be checked.") from error
        if not is_good:
            raise SignatureRefused("The callback is not signed with this account's token.")

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        form = callback.form
        name, event = _name(form), form.get("Event", "")
        recording_url = form.get("RecordUrl") or form.get("record_url") or ""
        answered_by = _answered_by(form)
        is_extra = event == "MachineDetection" or recording_url or "transcription" in form
        if is_extra and event != "Hangup":
            return CallExtras(
                carrier_call_id=name,
                answered_by=answered_by,
                recording_url=recording_url,
                transcript=form.get("transcription", ""),
            )
        progress = STATUSES.get(form.get("CallStatus", "").lower())
        if progress is None or not name:
            raise ValueError("No status of a call.")
        return _report(progress, form, name, answered_by, recording_url)

    def pressed_key(self, callback: Callback) -> str:
        return callback.form.get("Digits", "")[:1]

    def render(self, answer: Answer) -> str:
        response = Element("Response")
        if record_url := getattr(answer, "record_url", ""):
            recording = {"recordSession": "true", "redirect": "false", "maxLength": LONGEST_CALL}
            asked = {"callbackUrl": record_url, "callbackMethod": "POST"}
            SubElement(response, "Record", recording | asked)
        if isinstance(answer, Speak):
            _speak(response, answer)
        elif isinstance(answer, Stream):
            _stream(response, answer)
        elif isinstance(answer, Sip):
            SubElement(SubElement(response, "Dial"), "User").text = clean(answer.uri)
        elif isinstance(answer, HangUp):
            SubElement(response, "Hangup")
        return tostring(response, encoding="unicode", xml_declaration=False)


def _path(credentials: Credentials) -> str:
    if not _auth_id.fullmatch(credentials.account_id):
        raise _wrong(*_NO_ACCOUNT)
    return f"/v1/Account/{credentials.account_id}/"


def _checked(carrier_call_id: str) -> str:
    if not _call_uuid.fullmatch(carrier_call_id):
        raise CarrierUnsure("The carrier knows calls by its own names only, and this has none.")
    return carrier_call_id


async def _send(method: str, path: str, credentials: Credentials, **arguments: Any) -> Response:
    auth = (credentials.account_id, credentials.auth_token)
    return await _api.send(method, path, auth=auth, **arguments)


def _order(request: CallRequest) -> dict[str, Any]:
    order = {
        "from": request.from_number.removeprefix("+"),
        "to": request.to_number.removeprefix("+"),
        "answer_url": request.answer_url,
        "answer_method": "POST",
        "ring_timeout": RING_FOR,
    }
    if request.callback_url:
        order |= {"ring_url": request.callback_url, "ring_method": "POST"}
        order |= {"hangup_url": request.callback_url, "hangup_method": "POST"}
    if request.detection is not Detection.NONE:
        order["machine_detection"] = "true"
    return order


def _check(response: Response, credentials: Credentials) -> None:
    if refusal := refusal_of(response, _said(response, credentials)):
        raise refusal
    if not response.is_success:
        raise CarrierUnsure(f"The carrier answered {response.status}.")


def _refusal(response: Response, credentials: Credentials) -> CarrierError:
    said = _said(response, credentials)
    code, of_account = "account_refused", True
    for words, its_code, is_of_account in REFUSALS:
        if re.search(words, f"{response.status} {said}", re.IGNORECASE):
            code, of_account = its_code, is_of_account
            break
    message = f"The carrier refuses this ({response.status}){said and f': {said}'}"
    return CarrierError(message, permanent=True, of_account=of_account, code=code)


def _said(response: Response, credentials: Credentials) -> str:
    """The error in Plivo's words, without any credentials that it may repeat."""
    said = str(response.body.get("error") or response.body.get("message") or "")
    for secret in filter(None, (credentials.account_id, credentials.auth_token)):
        said = said.replace(secret, "…")
    return said[:200]


def _wrong(field: str, code: str, message: str) -> CarrierError:
    is_of_account = field == "accSId"
    return CarrierError(message, permanent=True, of_account=is_of_account, field=field, code=code)


def _looked_up(body: Mapping[str, Any], carrier_call_id: str) -> CallReport:
    """A call under way has a `call_status`; the record of an ended one has none."""
    progress = STATUSES.get(str(body.get("call_status")).lower())
    if body.get("end_time") or body.get("hangup_cause_code"):
        is_answered = body.get("call_state") == "ANSWER"
        progress = CallProgress.COMPLETED if is_answered else CallProgress.FAILED
    if progress is None:
        raise CarrierUnsure("The carrier does not tell how far the call is.")
    told = {
        "EndTime": body.get("end_time"),
        "AnswerTime": body.get("answer_time"),
        "Duration": body.get("call_duration"),
        "HangupCauseCode": body.get("hangup_cause_code"),
        "HangupCauseName": body.get("hangup_cause_name"),
    }
    return _report(progress, told, carrier_call_id)


def _report(
    progress: CallProgress,
    told: Mapping[str, Any],
    carrier_call_id: str,
    answered_by: AnsweredBy | None = None,
    recording_url: str = "",
) -> CallReport:
    """Of a call whose status is `progress`.

    Plivo's times are of the time zone that the customer has chosen in its console. Those of a
    callback do not name it, so only their difference is of use, and whatever is told is so now.
    """
    ended, answered = _moment(told.get("EndTime")), _moment(told.get("AnswerTime"))
    permanent, seconds = False, _number(told.get("Duration"))
    if answered and progress.is_final:
        progress = CallProgress.COMPLETED
        if ended and not seconds and bool(ended.tzinfo) == bool(answered.tzinfo):
            seconds = max(0, int((ended - answered).total_seconds()))
    elif progress.is_final:
        code = _number(told.get("HangupCauseCode"))
        progress, permanent = CAUSES.get(code, (progress, False))
    if progress is not CallProgress.COMPLETED:
        seconds = 0
    at = ended if ended and ended.tzinfo else timezone.now()
    is_answered = answered or seconds or told.get("Event") == "StartApp"
    return CallReport(
        progress=progress,
        at=at,
        carrier_call_id=carrier_call_id,
        answered_at=at - timedelta(seconds=seconds) if is_answered else None,
        talk_seconds=seconds,
        permanent=permanent,
        hangup_cause=str(told.get("HangupCauseName") or told.get("HangupCause") or "")[:100],
        answered_by=answered_by,
        recording_url=recording_url,
    )


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _name(form: Mapping[str, str]) -> str:
    name = form.get("RequestUUID") or form.get("CallUUID") or form.get("call_uuid") or ""
    if name and not _call_uuid.fullmatch(name):
        raise ValueError("Not the name of a call.")
    return name


def _answered_by(form: Mapping[str, str]) -> AnsweredBy | None:
    told = (form.get("Machine") or form.get("machine") or "").lower()
    return {"true": AnsweredBy.MACHINE, "false": AnsweredBy.HUMAN}.get(told)


def _speak(response: Element, answer: Speak) -> None:
    parent = response
    if answer.key_url:
        asked = {"action": answer.key_url, "method": "POST", "inputType": "dtmf"}
        limits = {"executionTimeout": WAIT_FOR_KEY, "numDigits": "1", "finishOnKey": "none"}
        parent = SubElement(response, "GetInput", asked | limits)
    language = _language(answer.language)
    attributes = {"voice": VOICES[language]} if language in VOICES else {}
    if language:
        attributes["language"] = language
    SubElement(parent, "Speak", attributes).text = clean(answer.text)
    SubElement(response, "Hangup")


def _language(wanted: str) -> str:
    """The one of Plivo's that is nearest; empty, Plivo's default, where it has none."""
    wanted = wanted.lower()
    alike = [known for known in LANGUAGES if known.split("-")[0] == wanted.split("-")[0]]
    return min(alike, key=lambda known: known.lower() != wanted, default="")


def _stream(response: Element, answer: Stream) -> None:
    """Plivo takes ASCII letters and digits in names and values, and 512 bytes in all.

    Of those a text comes out as it is, unless it begins with `0x`; any other one as `0x` and the
    hexadecimal digits of its UTF-8. Parameters beyond the 512 bytes are left out, the last first.
    """
    headers = ""
    for name, value in answer.parameters.items():
        longer = f"{headers}{headers and ','}{_header(name)}={_header(value)}"
        if len(longer) > EXTRA_HEADERS_FIT:
            break
        headers = longer
    attributes = {"bidirectional": "true", "keepCallAlive": "true", "contentType": SOUND}
    if headers:
        attributes["extraHeaders"] = headers
    SubElement(response, "Stream", attributes).text = clean(answer.url)


def _header(text: str) -> str:
    return text if _plain.fullmatch(text) else f"0x{text.encode(errors='replace').hex()}"


PLIVO = Plivo()
