"""Twilio, by its REST API of 2010-04-01.

Not by the official client, which has its own idea of time-outs and errors, where one place has to
decide for all carriers whether a request may have arrived. The tests hold what is sent here against
what that client sends; signatures are checked by its own validator.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from calling.carriers import twiml
from calling.carriers.answers import Answer
from calling.carriers.base import (
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
from calling.carriers.http import TOO_MANY_REQUESTS, CarrierApi, Response, refusal_of
from calling.carriers.reading import account_error, answered_by_of, text_of, without_secrets

RING_FOR = 45  # seconds
REFUSED = "The carrier refuses these credentials."
EVENTS = ["initiated", "ringing", "answered", "completed"]

STATUSES = {
    "queued": CallProgress.QUEUED,
    "initiated": CallProgress.QUEUED,
    "ringing": CallProgress.RINGING,
    "in-progress": CallProgress.IN_PROGRESS,
    "completed": CallProgress.COMPLETED,
    "busy": CallProgress.BUSY,
    "no-answer": CallProgress.NO_ANSWER,
    "failed": CallProgress.FAILED,
    "canceled": CallProgress.CANCELED,
}
# SIP statuses of a failed call whose number leads nowhere: unknown, gone, incomplete, nowhere known.
NO_SUCH_NUMBER = {"404", "410", "484", "604"}


class Fault(Enum):
    """Whose fault a refusal is. `OVER`: the call has gone on meanwhile."""

    NUMBER = "number"
    CALLER = "caller"
    ACCOUNT = "account"
    LATER = "later"
    OVER = "over"
    UNKNOWN = "unknown"


# Twilio's error codes. What is not here might be said of each call, and must not fail them all: it
# counts as the account's fault.
FAULTS = {
    # The called number: premium, of a country not enabled, invalid, unreachable, not permitted,
    # blocked, malformed, not verified by a trial account.
    **dict.fromkeys((21202, 21203, 21211, 21214, 21215, 21216, 21217), Fault.NUMBER),
    **dict.fromkeys((13223, 13224, 13225, 13226, 13227), Fault.NUMBER),
    **dict.fromkeys((14111, 21219, 573005), Fault.NUMBER),
    # The calling number: not verified, invalid, missing, not the one of a trial account's recipient.
    **dict.fromkeys((21210, 21212, 21213, 573002), Fault.CALLER),
    # The account: refused, inactive, without the right, with test credentials, on trial, without voice.
    **dict.fromkeys((20003, 20005, 20006, 20008, 10001, 10002, 10005), Fault.ACCOUNT),
    # Calls at a time, requests at a time.
    **dict.fromkeys((10004, 20429), Fault.LATER),
    21220: Fault.OVER,  # invalid call state
}
# The field and the code of the API's answer.
SAID_OF = {
    Fault.CALLER: ("phoneNumber", "number_not_owned"),
    Fault.ACCOUNT: ("authToken", "credentials_refused"),
    Fault.LATER: ("", TOO_MANY_REQUESTS),
}

_account_sid = re.compile("AC[0-9a-fA-F]{32}")
_call_sid = re.compile("CA[0-9a-fA-F]{32}")
_seconds = re.compile("[0-9]{1,6}")
_cause = re.compile("[0-9]{3,6}")


class Twilio:
    title = "Twilio"
    calls_per_second = 1
    asks_back = True

    def __init__(self) -> None:
        self._api = CarrierApi("twilio", "https://api.twilio.com")

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        try:
            await self._check_account(credentials)
            await self._check_number(credentials, number)
        except CarrierUnsure as error:  # nothing was asked to ring: it can be asked again
            raise CarrierError(str(error), permanent=False, code="carrier_unreachable") from error
        return credentials

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        path = f"{_path_of(credentials)}/Calls.json"
        response = await self._send(
            "POST", path, credentials, not_after=request.not_after, data=_form_of_call(request)
        )
        if not response.is_success:
            raise _refusal(response, credentials)
        call_sid = text_of(response.body, "sid")
        if not _call_sid.fullmatch(call_sid):
            raise CarrierUnsure("The carrier took the call without naming it.")
        return CallReport(progress=CallProgress.QUEUED, at=timezone.now(), carrier_call_id=call_sid)

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        path = _path_of_call(credentials, carrier_call_id)
        response = await self._send("GET", path, credentials)
        if response.status == 404:  # it has had an id, so it has been there
            raise CarrierUnsure("The carrier does not know the call any more.")
        if not response.is_success:
            raise _refusal(response, credentials)
        try:
            return _report(_form_of_resource(response.body), carrier_call_id)
        except ValueError as error:
            raise CarrierUnsure("The carrier's answer cannot be read.") from error

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        path = _path_of_call(credentials, carrier_call_id)
        # Twilio cancels what is queued or ringing, and leaves alone what has been answered.
        response = await self._send("POST", path, credentials, data={"Status": "canceled"})
        if response.status == 404:
            raise CarrierUnsure("The carrier does not know the call any more.")
        if not response.is_success and _fault_of(response) is not Fault.OVER:
            raise _refusal(response, credentials)

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        signature = callback.headers.get("x-twilio-signature", "")
        if not credentials.auth_token:  # anybody can sign with nothing
            raise SignatureRefused("There is no token to check it with.")
        validator = RequestValidator(credentials.auth_token)
        try:
            is_good = validator.validate(callback.url, _all_values(callback), signature)
        except ValueError as error:
            raise SignatureRefused("The callback cannot be read.") from error
        if not is_good:
            raise SignatureRefused("The carrier has not signed this.")

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        form = callback.form
        call_sid = form.get("CallSid", "")
        # A transcript comes with a status as well, and says nothing new by it.
        if "CallStatus" in form and "TranscriptionText" not in form:
            return _report(form, call_sid)
        if not form.keys() & {"TranscriptionText", "RecordingSid", "RecordingUrl", "AnsweredBy"}:
            raise ValueError("The callback says nothing of a call.")
        return CallExtras(
            carrier_call_id=call_sid,
            answered_by=answered_by_of(form.get("AnsweredBy", "")),
            recording_url=_recording_of(form),
            transcript=form.get("TranscriptionText", ""),
        )

    def pressed_key(self, callback: Callback) -> str:
        return callback.form.get("Digits", "")

    def render(self, answer: Answer) -> str:
        return twiml.render(answer)

    async def _send(
        self, method: str, path: str, credentials: Credentials, **arguments: Any
    ) -> Response:
        auth = (credentials.account_id, credentials.auth_token)
        return await self._api.send(method, path, auth=auth, **arguments)

    async def _check_account(self, credentials: Credentials) -> None:
        response = await self._send("GET", f"{_path_of(credentials)}.json", credentials)
        if response.status in {403, 404}:  # 403: test credentials, or a key with few rights
            raise account_error(REFUSED, "authToken", "credentials_refused")
        if not response.is_success:
            raise _refusal(response, credentials)
        status = text_of(response.body, "status")
        if status in {"suspended", "closed"}:
            raise account_error(f"The account is {status}.", "authToken", "credentials_refused")
        if status != "active":
            raise CarrierUnsure("The carrier's answer cannot be read.")

    async def _check_number(self, credentials: Credentials, number: str) -> None:
        path = f"{_path_of(credentials)}/IncomingPhoneNumbers.json"
        response = await self._send("GET", path, credentials, params={"PhoneNumber": number})
        if not response.is_success:
            raise _refusal(response, credentials)
        listed = response.body.get("incoming_phone_numbers")
        if not isinstance(listed, list):
            raise CarrierUnsure("The carrier's answer cannot be read.")
        # Twilio searches by pattern, and may find more.
        owned = next((one for one in listed if text_of(one, "phone_number") == number), None)
        if owned is None:
            message = "The account does not own this number."
            raise account_error(message, "phoneNumber", "number_not_owned")
        capabilities = owned.get("capabilities")
        if not isinstance(capabilities, dict) or not capabilities.get("voice"):
            message = "This number cannot make calls."
            raise account_error(message, "phoneNumber", "number_without_voice")


def _form_of_call(request: CallRequest) -> dict[str, str | list[str]]:
    form: dict[str, str | list[str]] = {
        "To": request.to_number,
        "From": request.from_number,
        "Timeout": str(RING_FOR),
    }
    if request.answer_url:
        form |= {"Url": request.answer_url, "Method": "POST"}
    if request.callback_url:
        form |= {"StatusCallback": request.callback_url, "StatusCallbackMethod": "POST"}
        form["StatusCallbackEvent"] = EVENTS
    if request.detection is not Detection.NONE:
        waits = request.detection is Detection.END
        form["MachineDetection"] = "DetectMessageEnd" if waits else "Enable"
    if request.records:
        form["Record"] = "true"
        if request.callback_url:
            form["RecordingStatusCallback"] = request.callback_url
            form["RecordingStatusCallbackEvent"] = "completed"
    return form


def _path_of(credentials: Credentials) -> str:
    if not _account_sid.fullmatch(credentials.account_id):
        raise account_error(REFUSED, "accSId", "credentials_refused")
    return f"/2010-04-01/Accounts/{credentials.account_id}"


def _path_of_call(credentials: Credentials, call_sid: str) -> str:
    if not _call_sid.fullmatch(call_sid):
        raise CarrierUnsure("The carrier can only be asked by its own id of the call.")
    return f"{_path_of(credentials)}/Calls/{call_sid}.json"


def _form_of_resource(resource: Mapping[str, Any]) -> dict[str, str]:
    """A call as it is looked up, in the words of a callback."""
    return {
        "CallStatus": text_of(resource, "status"),
        "Timestamp": text_of(resource, "end_time") or text_of(resource, "date_updated"),
        "StartTime": text_of(resource, "start_time"),
        "CallDuration": str(resource.get("duration") or ""),
        "AnsweredBy": text_of(resource, "answered_by"),
    }


def _report(form: Mapping[str, str], call_sid: str) -> CallReport:
    progress = STATUSES.get(form["CallStatus"])
    if progress is None:
        raise ValueError("The callback has an unknown status.")
    at = _moment(form.get("Timestamp", "")) or timezone.now()
    answered_at, talked = _moment(form.get("StartTime", "")), 0
    if progress is CallProgress.IN_PROGRESS:
        answered_at = answered_at or at
    elif progress is CallProgress.COMPLETED:
        talked = _seconds_of(form.get("CallDuration", ""))
        answered_at = answered_at or at - timedelta(seconds=talked)
    else:
        answered_at = None
    return CallReport(
        progress=progress,
        at=at,
        carrier_call_id=call_sid,
        answered_at=answered_at,
        talk_seconds=talked,
        permanent=progress is CallProgress.FAILED and _leads_nowhere(form),
        hangup_cause=_cause_of(form) if progress.is_final else "",
        answered_by=answered_by_of(form.get("AnsweredBy", "")),
        recording_url=_recording_of(form),
    )


def _leads_nowhere(form: Mapping[str, str]) -> bool:
    error = form.get("ErrorCode", "")
    by_error = bool(_cause.fullmatch(error)) and FAULTS.get(int(error)) is Fault.NUMBER
    return by_error or form.get("SipResponseCode", "") in NO_SUCH_NUMBER


def _cause_of(form: Mapping[str, str]) -> str:
    codes = {"SIP": form.get("SipResponseCode", ""), "error": form.get("ErrorCode", "")}
    return ", ".join(f"{name} {code}" for name, code in codes.items() if _cause.fullmatch(code))


def _recording_of(form: Mapping[str, str]) -> str:
    url = form.get("RecordingUrl", "")
    return f"{url}.mp3" if url else ""  # without an ending it is a WAV file


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds_of(text: str) -> int:
    return int(text) if _seconds.fullmatch(text) else 0


def _all_values(callback: Callback) -> MultiValueDict[str, str]:
    """The form with each value of a repeated name, as it is signed. Raises ValueError."""
    values: MultiValueDict[str, str] = MultiValueDict()
    pairs = parse_qsl(callback.body.decode(), keep_blank_values=True, max_num_fields=200)
    for name, value in pairs:
        values.appendlist(name, value)
    return values


def _refusal(response: Response, credentials: Credentials) -> CarrierError | CarrierUnsure:
    said = text_of(response.body, "message")
    said = without_secrets(said, credentials) or str(response.status)
    if general := refusal_of(response, said):
        return general
    if response.status < 400 or response.status == 408:
        return CarrierUnsure(f"The carrier answered {response.status}: {said}")
    fault = _fault_of(response)
    field, code = SAID_OF.get(fault, ("", ""))
    return CarrierError(
        f"The carrier refuses the request: {said}",
        permanent=fault is not Fault.LATER,
        of_account=fault in {Fault.CALLER, Fault.ACCOUNT, Fault.UNKNOWN},
        retry_after=response.retry_after if fault is Fault.LATER else None,
        field=field,
        code=code,
    )


def _fault_of(response: Response) -> Fault:
    code = response.body.get("code")
    if not 400 <= response.status < 500 or not isinstance(code, int):
        return Fault.UNKNOWN
    return FAULTS.get(code, Fault.UNKNOWN)


TWILIO = Twilio()
