"""What carriers tell and ask us of calls that they were given.

Each request names the call in its address, is verified with the credentials of the call's account, kept
as it came, and only then read.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError, transaction
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from batches.models import CallAttempt, CarrierCallback
from batches.services.callback_archive import keep_callback
from batches.services.do_not_call import Listing, list_number
from batches.services.outcomes import Heard, record_extras, record_ignored, record_reports
from calling.carriers.answers import Answer, HangUp
from calling.carriers.base import AnsweredBy, Callback, CallExtras, CallProgress, CallReport
from calling.carriers.registry import CARRIERS
from calling.connecting import answer_for, confirmation_of
from calling.models import OnVoicemail
from calling.services.accounts import credentials_of
from workspaces.callers import Actor
from workspaces.sql import execute

log = structlog.get_logger(__name__)

HOLD_THE_LINE = "1s"  # for a batch's lock, while the carrier waits for what to do
OPT_OUT = "opt-out"  # the type of such an entry of the do-not-call list


class Effect(StrEnum):
    """What a callback did."""

    RECORDED = "recorded"
    IGNORED = "ignored"  # late, repeated or out of order: it shows in the call's timeline
    UNKNOWN = "unknown"  # about no call of ours, or one that was put back


class Hook(StrEnum):
    """What a carrier turns to us for."""

    STATUS = "callback"
    ANSWER = "answer"
    KEY = "key"


def hook_url(hook: Hook, carrier: str, request_uuid: UUID) -> str:
    """Where the carrier turns to about a call; '' when nobody outside can reach us."""
    base: str = settings.PUBLIC_BASE_URL
    path = reverse(f"carrier-{hook}", args=[carrier])
    return f"{base.rstrip('/')}{path}?call={request_uuid}" if base else ""


def asked_url(hook: Hook, carrier: str, query: str) -> str:
    """The address that the carrier was given, whatever proxies have made of it since."""
    base: str = settings.PUBLIC_BASE_URL
    path = reverse(f"carrier-{hook}", args=[carrier])
    return f"{base.rstrip('/')}{path}" + (f"?{query}" if query else "")


def receive_status(*, carrier: str, callback: Callback, now: datetime) -> Effect:
    """Record what a carrier says of one call. Raises SignatureRefused, ValueError (unreadable).

    `carrier` is one of the registry's.
    """
    received = _receive(carrier, callback, now)
    if received is None:
        return Effect.UNKNOWN
    effect = _record(received, now)
    CarrierCallback.objects.filter(id=received.kept_id).update(effect=effect)
    return effect


def answer_call(*, carrier: str, callback: Callback, now: datetime) -> str:
    """The document that tells the carrier what to do with a call that was answered.

    Raises SignatureRefused, ValueError (unreadable).
    """
    return CARRIERS[carrier].render(_answer(carrier, callback, now) or HangUp())


def take_key(*, carrier: str, callback: Callback, now: datetime) -> str:
    """The document for after a key was pressed: whoever opts out is listed before it is written.

    Raises SignatureRefused, ValueError (unreadable).
    """
    received = _receive(carrier, callback, now)
    adapter = CARRIERS[carrier]
    if received is None:
        return adapter.render(HangUp())
    attempt, pressed = received.attempt, adapter.pressed_key(callback)
    agent = attempt.phone.agent if attempt.phone else None
    if agent is None or not pressed or pressed != agent.opt_out_key:
        # Another key cut the message short: it is said again.
        again = _connect(received, None) if pressed else None
        return adapter.render(again or HangUp())
    _list(attempt, now)
    return adapter.render(confirmation_of(agent))


@dataclass(frozen=True, slots=True)
class _Received:
    """A signed request about an attempt of ours, kept under `kept_id`."""

    carrier: str
    callback: Callback
    attempt: CallAttempt
    kept_id: str

    @property
    def said(self) -> CallReport | CallExtras:
        """Raises ValueError."""
        return CARRIERS[self.carrier].parse_callback(self.callback)

    @property
    def is_of_other_call(self) -> bool:
        """Not every carrier signs our address, which names the call. Raises ValueError."""
        named = self.said.carrier_call_id[:128]
        return bool(named) and self.attempt.carrier_call_id not in ("", named)


def _receive(carrier: str, callback: Callback, now: datetime) -> _Received | None:
    """None: it is about no call of ours, or nobody can tell any more whether the carrier sent it."""
    adapter, attempt = CARRIERS[carrier], _attempt_of(callback)
    # A carrier speaks of its own calls only; of a number that was deleted nobody knows whose it was.
    phone = attempt.phone if attempt else None
    is_deleted = phone is None and not adapter.asks_back
    if attempt is None or not (is_deleted or (phone and phone.carrier == carrier)):
        log.info("callback.unknown", carrier=carrier)
        return None
    adapter.check_signature(callback, credentials_of(phone.account if phone else None))
    kept = keep_callback(attempt, carrier=carrier, callback=callback, now=now)
    return _Received(carrier, callback, attempt, kept.id)


def _attempt_of(callback: Callback) -> CallAttempt | None:
    named = parse_qs(urlsplit(callback.url).query).get("call", [""])
    try:
        request_uuid = UUID(named[-1])
    except ValueError:
        return None
    attempts = CallAttempt.objects.select_related("phone__account", "phone__agent", "call")
    return attempts.filter(request_uuid=request_uuid).first()


def _record(received: _Received, now: datetime) -> Effect:
    attempt, said = received.attempt, received.said
    if received.is_of_other_call:
        log.warning("callback.other_call", carrier=received.carrier)
        return Effect.IGNORED
    if isinstance(said, CallReport) and said.progress is CallProgress.QUEUED:
        # No more than we knew, but its name.
        said = CallExtras(carrier_call_id=said.carrier_call_id)
    if isinstance(said, CallExtras):
        return Effect.RECORDED if record_extras(attempt.id, said) else Effect.IGNORED
    heard = Heard.of(attempt.id, said)
    ignored = record_reports(
        batch_id=attempt.batch_id,
        reports=[heard],
        patience=timedelta(seconds=settings.CALLBACK_PATIENCE_SECONDS),
        now=now,
    )
    if ignored:
        # That a call was answered is told twice: by its status, and by asking what to do.
        if said.progress is not CallProgress.IN_PROGRESS or attempt.status != said.progress.value:
            record_ignored(ignored, now=now)
        log.info("callback.ignored", carrier=received.carrier, progress=said.progress.value)
        return Effect.IGNORED
    return Effect.RECORDED


def _answer(carrier: str, callback: Callback, now: datetime) -> Answer | None:
    received = _receive(carrier, callback, now)
    if received is None or received.attempt.call.is_cancel_requested:
        return None
    if received.is_of_other_call:
        log.warning("callback.other_call", carrier=carrier)
        return None
    said = received.said
    if said.answered_by:
        record_extras(received.attempt.id, CallExtras(answered_by=said.answered_by))
    answer = _connect(received, said.answered_by)
    try:
        with transaction.atomic():
            # Somebody is on the line, and the status callback tells the same.
            execute(f"SET LOCAL lock_timeout = '{HOLD_THE_LINE}'", [])
            effect = _record(received, now)
            CarrierCallback.objects.filter(id=received.kept_id).update(effect=effect)
    except OperationalError as error:
        log.warning("callback.not_recorded", error=type(error).__name__)
    return answer


def _connect(received: _Received, answered_by: AnsweredBy | None) -> Answer | None:
    """What the agent of the call's number does with it; None: nothing, it is hung up."""
    attempt = received.attempt
    agent = attempt.phone.agent if attempt.phone else None
    if agent is None:
        log.warning("callback.no_agent", carrier=received.carrier)
        return None
    is_machine = answered_by is AnsweredBy.MACHINE
    if is_machine and agent.on_voicemail in (OnVoicemail.HANG_UP, OnVoicemail.RETRY):
        return None
    return answer_for(
        agent,
        attempt.call.variables,
        record_url=hook_url(Hook.STATUS, received.carrier, attempt.request_uuid),
        # A machine presses no key, and would be asked to in its recording.
        key_url="" if is_machine else hook_url(Hook.KEY, received.carrier, attempt.request_uuid),
    )


def _list(attempt: CallAttempt, now: datetime) -> None:
    listing = Listing(
        phone_number=attempt.to_number, type=OPT_OUT, request_uuid=attempt.request_uuid
    )
    try:
        list_number(
            workspace_id=attempt.workspace_id,
            user_id=None,
            listing=listing,
            actor=Actor(),
            now=now,
        )
    except ValidationError:  # it is on the list already
        log.info("callback.listed_before")
