"""The simulator's callbacks as they travel: what is written, how it is signed, and how it is read."""

import json
from datetime import datetime, timedelta

from django.utils.crypto import constant_time_compare, salted_hmac

from calling.carriers.base import Callback, CallProgress, CallReport, SignatureRefused

SIGNATURE, TIMESTAMP = "X-Simulator-Signature", "X-Simulator-Timestamp"
SIGNED_AT_MOST = timedelta(minutes=5)  # before or after now


def encode(report: CallReport) -> bytes:
    answered_at = report.answered_at
    body = {
        "callId": report.carrier_call_id,
        "status": report.progress.value,
        "at": report.at.isoformat(),
        "answeredAt": answered_at and answered_at.isoformat(),
        "talkSeconds": report.talk_seconds,
        "permanent": report.permanent,
        "hangupCause": report.hangup_cause,
    }
    return json.dumps(body).encode()


def signed_headers(url: str, body: bytes, *, now: datetime) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    return {TIMESTAMP: timestamp, SIGNATURE: _signature(timestamp, url, body)}


def check_signature(callback: Callback, *, now: datetime) -> None:
    """Raises `SignatureRefused` for what was not signed by the simulator, for this URL, just now."""
    timestamp = callback.headers.get(TIMESTAMP.lower(), "")
    signature = callback.headers.get(SIGNATURE.lower(), "")
    if not constant_time_compare(signature, _signature(timestamp, callback.url, callback.body)):
        raise SignatureRefused("The signature is not the simulator's.")
    if abs(now.timestamp() - int(timestamp)) > SIGNED_AT_MOST.total_seconds():
        raise SignatureRefused("The signature is too old.")


def decode(body: bytes) -> CallReport:
    """Raises ValueError for what is no callback."""
    try:
        sent = json.loads(body)
        answered_at = sent["answeredAt"]
        return CallReport(
            progress=CallProgress(sent["status"]),
            at=datetime.fromisoformat(sent["at"]),
            carrier_call_id=sent["callId"],
            answered_at=answered_at and datetime.fromisoformat(answered_at),
            talk_seconds=sent["talkSeconds"],
            permanent=sent["permanent"],
            hangup_cause=sent["hangupCause"],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("This is no callback of the simulator.") from error


def _signature(timestamp: str, url: str, body: bytes) -> str:
    signed = f"{timestamp}.{url}.".encode() + body
    return salted_hmac("calling.simulator", signed, algorithm="sha256").hexdigest()
