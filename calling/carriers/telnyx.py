"""Telnyx, by its TeXML REST API, which is made after Twilio's.

Not by the official client, whose import costs each process 1.3 s and some 50 MB; the tests hold this
against it.
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import quote
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone

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
LEARN_WITHIN = 4.0  # seconds, for what has to be known before a call can be placed
SIGNED_WITHIN = timedelta(minutes=5)
REMEMBER_FOR = timedelta(minutes=10)
REMEMBERED = 1000  # numbers
REFUSED = "The carrier refuses these credentials."
PUBLIC_KEY_NEEDED = "Give the public key, shown in Telnyx' portal under Keys & Credentials."

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
# Causes and SIP statuses of a failed call whose number leads nowhere.
NO_SUCH_NUMBER = {"not_found", "unallocated_number", "invalid_number_format", "404", "484", "604"}
# What a call that is not waiting any more is refused to be hung up with.
TOO_LATE_TO_HANG_UP = {400, 404, 409, 410, 422}

Fault = Enum("Fault", "NUMBER ACCOUNT LATER")
# Telnyx' error codes, and those of its SIP side, which stand in an error's text ("... countries D13").
# What is not here is the account's fault: it might be said of each call, and must not fail them all.
FAULTS = {
    # Inactive, invalid, not E.164; country not whitelisted, no destination, dearer than the profile
    # allows, no route, prefix blocked against fraud, special number, no rate.
    **dict.fromkeys(("10001", "10002", "10016"), Fault.NUMBER),
    **dict.fromkeys(("D13", "D21", "D24", "D40", "D41", "D59", "TM1"), Fault.NUMBER),
    # Too many requests; channels of the account, profile, number, connection or billing, rates.
    **dict.fromkeys(("10011", "D1", "D2", "D22", "D3", "D5", "D56", "D9", "P05"), Fault.LATER),
    # Authentication, authorization; key revoked; account inactive, blocked, unverified, without funds;
    # caller id invalid, of another account or unverified; connection without outbound profile.
    **dict.fromkeys(("10009", "10010", "20002", "20012", "20013", "20014"), Fault.ACCOUNT),
    **dict.fromkeys(("20100", "D35", "D36", "D51", "D38"), Fault.ACCOUNT),
}

# TeXML is TwiML but for these. No text is changed by them: in there, "<" is escaped.
DIFFERENCES = (
    ("<Say language=", '<Say voice="alice" language='),  # other voices speak English only
    ("<Stream url=", '<Stream bidirectionalMode="rtp" url='),  # the default takes MP3 files back
    ("{", "&#123;"),  # {{...}} is a Mustache template, and Telnyx fills it in
)

_account_id = re.compile("[A-Za-z0-9-]{1,64}")
_visible = re.compile("[!-~]+")
_code_in_text = re.compile(r"\b(?:[DP]|TM)\d{1,2}\b")


class Telnyx:
    title = "Telnyx"
    calls_per_second = 30
    asks_back = True

    def __init__(self) -> None:
        self._api = CarrierApi("telnyx", "https://api.telnyx.com")
        self._applications: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        calls, one = _calls_of(credentials), {"PageSize": "1"}
        application = await self._application_of(credentials, number)
        await self._check_application(credentials, application)
        response = await self._learn(credentials, calls, {401, 403, 404, 422}, params=one)
        if not response.is_success:
            raise account_error(REFUSED, "accSId", "credentials_refused")
        return replace(credentials, public_key=await self._public_key(credentials))

    async def place(self, credentials: Credentials, request: CallRequest) -> CallReport:
        """Never repeated: Telnyx names no key against a second call for this endpoint."""
        calls = _calls_of(credentials)
        application = await self._remembered_application(credentials, request)
        body, key = _call(request, application), {"Idempotency-Key": str(request.request_uuid)}
        response = await self._ask(
            credentials, "POST", calls, json=body, headers=key, not_after=request.not_after
        )
        if not response.is_success:
            refusal = _refusal(response, credentials)
            if isinstance(refusal, CarrierError) and refusal.of_account:
                self._applications.pop((credentials.account_id, request.from_number), None)
            raise refusal
        call_sid = text_of(response.body, "call_sid") or text_of(response.body, "sid")
        # The published answer to an account's call has a status and no id; callbacks tell it.
        if not call_sid and text_of(response.body, "status") not in STATUSES:
            raise CarrierUnsure("The carrier does not say what it does with the call.")
        return CallReport(progress=CallProgress.QUEUED, at=timezone.now(), carrier_call_id=call_sid)

    async def lookup(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> CallReport | None:
        path = _call_path(credentials, carrier_call_id)
        response = await self._ask(credentials, "GET", path)
        # Look-ups lag behind: that a call is not found does not mean that there is none.
        if response.status == 404:
            raise CarrierUnsure("The carrier does not find the call.")
        if not response.is_success:
            raise _refusal(response, credentials)
        try:
            return _report(_as_form(response.body), carrier_call_id)
        except ValueError as error:
            raise CarrierUnsure(f"The carrier's answer cannot be read: {error}") from error

    async def hang_up(
        self, credentials: Credentials, request_uuid: UUID, carrier_call_id: str
    ) -> None:
        # "completed" would end a conversation, too.
        path = _call_path(credentials, carrier_call_id)
        response = await self._ask(credentials, "POST", path, data={"Status": "canceled"})
        if not response.is_success and response.status not in TOO_LATE_TO_HANG_UP:
            raise _refusal(response, credentials)

    def check_signature(self, callback: Callback, credentials: Credentials) -> None:
        stamp = callback.headers.get("telnyx-timestamp", "")
        signature = _bytes_of(callback.headers.get("telnyx-signature-ed25519", ""), 64)
        key = _bytes_of(credentials.public_key, 32)
        if key is None or signature is None or not re.fullmatch("[0-9]{1,11}", stamp):
            raise SignatureRefused("There is no key, or no signature.")
        if abs(timezone.now().timestamp() - int(stamp)) > SIGNED_WITHIN.total_seconds():
            raise SignatureRefused("The signature is of another time.")
        signed = f"{stamp}|".encode() + callback.body
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except (InvalidSignature, ValueError) as error:
            raise SignatureRefused("The signature is not the carrier's.") from error

    def parse_callback(self, callback: Callback) -> CallReport | CallExtras:
        form = callback.form
        call_sid = form.get("CallSid", "")
        if not call_sid:
            raise ValueError("There is no CallSid.")
        # A transcription comes long after the call, and with a CallStatus all the same.
        if "CallStatus" in form and "TranscriptionSid" not in form:
            return _report(form, call_sid)
        return CallExtras(
            carrier_call_id=call_sid,
            answered_by=answered_by_of(form.get("AnsweredBy", "")),
            recording_url=form.get("RecordingUrl", ""),
            transcript=form.get("TranscriptionText", ""),
        )

    def pressed_key(self, callback: Callback) -> str:
        return callback.form.get("Digits", "")

    def render(self, answer: Answer) -> str:
        document = twiml.render(answer)
        for ours, theirs in DIFFERENCES:
            document = document.replace(ours, theirs)
        return document

    async def _ask(self, credentials: Credentials, method: str, path: str, **more: Any) -> Response:
        if not _visible.fullmatch(credentials.auth_token):
            raise account_error(REFUSED, "authToken", "credentials_refused")
        headers = {"Authorization": f"Bearer {credentials.auth_token}", **more.pop("headers", {})}
        return await self._api.send(method, path, headers=headers, **more)

    async def _learn(
        self, credentials: Credentials, path: str, left_to_caller: set[int], **more: Any
    ) -> Response:
        """Ask for something that rings nobody: whatever goes wrong is a `CarrierError`."""
        try:
            async with asyncio.timeout(LEARN_WITHIN):
                response = await self._ask(credentials, "GET", path, **more)
            if not response.is_success and response.status not in left_to_caller:
                raise _refusal(response, credentials)
        except (CarrierUnsure, TimeoutError) as error:
            message = str(error) or "The carrier did not answer in time."
            raise CarrierError(message, permanent=False, code="carrier_unreachable") from error
        return response

    async def _remembered_application(self, credentials: Credentials, request: CallRequest) -> str:
        key, now = (credentials.account_id, request.from_number), timezone.now()
        application, until = self._applications.get(key, ("", now))
        if until <= now:
            application = await self._application_of(
                credentials, request.from_number, not_after=request.not_after
            )
            if len(self._applications) >= REMEMBERED:
                self._applications.clear()
            self._applications[key] = (application, now + REMEMBER_FOR)
        return application

    async def _application_of(
        self, credentials: Credentials, number: str, *, not_after: datetime | None = None
    ) -> str:
        """The TeXML application that calls of this number go through: its connection."""
        # With a "+" in the filter, says the reference, nothing is found.
        digits = {"filter[phone_number]": number.removeprefix("+")}
        response = await self._learn(
            credentials, "/v2/phone_numbers", {403}, params=digits, not_after=not_after
        )
        if not response.is_success:
            raise account_error(REFUSED, "authToken", "credentials_refused")
        match = next((each for each in _data(response) if each.get("phone_number") == number), {})
        if match.get("status") != "active":
            message = "This number is not active." if match else "The account lacks this number."
            raise account_error(message, "phoneNumber", "number_not_owned")
        if not match.get("connection_id"):
            message = "Connect the number to a TeXML application in Telnyx' portal."
            raise account_error(message, "phoneNumber", "number_without_application")
        return str(match["connection_id"])

    async def _check_application(self, credentials: Credentials, application: str) -> None:
        path = f"/v2/texml_applications/{quote(application, safe='')}"
        response = await self._learn(credentials, path, {403, 404, 422})
        data = _data(response)
        if not data:
            message = "What the number is connected to is no TeXML application."
            raise account_error(message, "phoneNumber", "number_without_application")
        # The method by which a pressed key is told, too: a GET would bring it in an unsigned query.
        if text_of(data[0], "voice_method").lower() == "get":
            message = "Set the webhook method of the number's TeXML application to POST."
            raise account_error(message, "phoneNumber", "number_without_application")

    async def _public_key(self, credentials: Credentials) -> str:
        if given := credentials.public_key.strip():
            if _bytes_of(given, 32) is None:
                raise account_error("This is no public key of Telnyx.", "publicKey", "invalid")
            return given
        # Still answered, but not documented any more.
        response = await self._learn(credentials, "/v2/public_key", {400, 403, 404, 405, 410})
        key = next((text_of(each, "public") for each in _data(response)), "")
        if _bytes_of(key, 32) is None:
            raise account_error(PUBLIC_KEY_NEEDED, "publicKey", "required")
        return key


def _call(request: CallRequest, application: str) -> dict[str, Any]:
    call: dict[str, Any] = {
        "ApplicationSid": application,
        "To": request.to_number,
        "From": request.from_number,
        "Timeout": RING_FOR,
    }
    if request.answer_url:
        call |= {"Url": request.answer_url, "UrlMethod": "POST"}
    if request.callback_url:
        call |= {"StatusCallback": request.callback_url, "StatusCallbackMethod": "POST"}
        call["StatusCallbackEvent"] = "initiated ringing answered completed"
    if request.detection is not Detection.NONE:
        waits = request.detection is Detection.END
        call["MachineDetection"] = "DetectMessageEnd" if waits else "Enable"
        call["DetectionMode"] = "Premium"
    if request.records:
        call["Record"] = True
    if request.records and request.callback_url:
        call["RecordingStatusCallback"] = request.callback_url
        call["RecordingStatusCallbackMethod"] = "POST"
        call["RecordingStatusCallbackEvent"] = "completed"
    return call


def _calls_of(credentials: Credentials) -> str:
    if not _account_id.fullmatch(credentials.account_id):
        raise account_error(REFUSED, "accSId", "credentials_refused")
    return f"/v2/texml/Accounts/{credentials.account_id}/Calls"


def _call_path(credentials: Credentials, call_sid: str) -> str:
    if not call_sid.strip("."):
        raise CarrierUnsure("The carrier can only be asked by its own id of the call.")
    return f"{_calls_of(credentials)}/{quote(call_sid, safe=':')}"


def _as_form(resource: Mapping[str, Any]) -> dict[str, str]:
    """A call as it is looked up, in the words of a callback."""
    ours = ("CallStatus", "EndTime", "Timestamp", "CallDuration", "AnsweredBy")
    theirs = ("status", "end_time", "date_updated", "duration", "answered_by")
    return {our: str(resource.get(their) or "") for our, their in zip(ours, theirs, strict=True)}


def _report(form: Mapping[str, str], call_sid: str) -> CallReport:
    progress = STATUSES.get(form["CallStatus"])
    if progress is None:
        raise ValueError("unknown status")
    at = _moment(form.get("EndTime")) or _moment(form.get("Timestamp")) or timezone.now()
    answered_at, talked = _moment(form.get("AnsweredTime")), form.get("CallDuration", "")
    if progress is CallProgress.IN_PROGRESS:
        answered_at = answered_at or at
    elif progress is CallProgress.COMPLETED:
        seconds = int(talked) if re.fullmatch("[0-9]{1,6}", talked) else 0
        answered_at = answered_at or at - timedelta(seconds=seconds)
    else:
        answered_at = None
    causes = [form.get("HangupCause", ""), form.get("SipHangupCause", "")]
    return CallReport(
        progress=progress,
        at=at,
        carrier_call_id=call_sid,
        answered_at=answered_at,
        talk_seconds=max(0, round((at - (answered_at or at)).total_seconds())),
        permanent=progress is CallProgress.FAILED and not NO_SUCH_NUMBER.isdisjoint(causes),
        hangup_cause=" ".join(filter(None, causes)) if progress.is_final else "",
        answered_by=answered_by_of(form.get("AnsweredBy", "")),
        recording_url=form.get("RecordingUrl", ""),
    )


def _moment(text: str | None) -> datetime | None:
    """The reference says RFC 2822 in one place, and shows ISO 8601 in another."""
    for read in (datetime.fromisoformat, parsedate_to_datetime) if text else ():
        with suppress(ValueError):
            moment = read(text or "")
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _data(response: Response) -> list[dict[str, Any]]:
    found = response.body.get("data") if response.is_success else None
    return [
        each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)
    ]


def _bytes_of(text: str, length: int) -> bytes | None:
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return found if len(found) == length else None


def _refusal(response: Response, credentials: Credentials) -> CarrierError | CarrierUnsure:
    errors = response.body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    error: Mapping[str, Any] = first if isinstance(first, dict) else {}
    said = ", ".join(filter(None, (text_of(error, "title"), text_of(error, "detail"))))
    said = without_secrets(said, credentials) or str(response.status)
    if general := refusal_of(response, said):
        return general
    if response.status < 400 or response.status == 408:
        return CarrierUnsure(f"The carrier answered {response.status}: {said}")
    fault = _fault_of(error)
    return CarrierError(
        f"The carrier refuses this: {said}",
        permanent=fault is not Fault.LATER,
        of_account=fault is Fault.ACCOUNT,
        retry_after=response.retry_after if fault is Fault.LATER else None,
        code=TOO_MANY_REQUESTS if fault is Fault.LATER else "",
    )


def _fault_of(error: Mapping[str, Any]) -> Fault:
    source = error.get("source")
    at_fault = text_of(source, "pointer").lower() if isinstance(source, dict) else ""
    if at_fault.endswith("/from"):
        return Fault.ACCOUNT
    if at_fault.endswith("/to"):
        return Fault.NUMBER
    text = f"{text_of(error, 'title')} {text_of(error, 'detail')}"
    # The code in the text is the closer one: 10010 stands for a country as well as for a profile.
    codes = [*_code_in_text.findall(text), str(error.get("code", ""))]
    return next((FAULTS[code] for code in codes if code in FAULTS), Fault.ACCOUNT)


TELNYX = Telnyx()
