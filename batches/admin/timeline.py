"""Everything that happened to one call, oldest first: decisions, attempts, callbacks, edits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from urllib.parse import urlsplit

from django.urls import reverse

from batches.models import (
    AttemptStatus,
    Call,
    CallAttempt,
    CallEvent,
    CallStatus,
    CarrierCallback,
    DoNotCallEntry,
    EventReason,
)
from batches.services.callbacks import OPT_OUT, Effect
from calling.carriers.base import Callback, CallReport
from calling.carriers.registry import CARRIERS
from workspaces.back_office.words import action_in_words, credential_in_words
from workspaces.models import AuditEvent

MOST = 300  # rows of a kind that are read

DIALER, CARRIER, CONTACT = "the dialer", "the carrier", "the contact"
_BY_CARRIER = {
    EventReason.ANSWERED,
    EventReason.VOICEMAIL,
    EventReason.CARRIER_CANCELED,
    EventReason.RESOLVED_LATE,
    EventReason.CALLBACK_IGNORED,
    EventReason.PERMANENT_FAILURE,
}
_ASKED = {
    "callback": "reported how far the call is",
    "answer": "asked what to do with the answered call",
    "key": "told that a key was pressed",
}
_EFFECTS = {
    Effect.RECORDED: "It was recorded.",
    Effect.IGNORED: "It changed nothing: late, repeated, or of another call.",
    Effect.UNKNOWN: "It was about no call of ours.",
    "": "It could not be read, or said nothing that is kept.",
}
_ANSWERED_BY = {"human": "a person", "machine": "an answering machine"}


class _Rank(IntEnum):
    """Of what happened at the same moment, which came first."""

    ADDED = 0
    CLAIMED = 1
    PLACED = 2
    TOLD = 3
    ANSWERED = 4
    ENDED = 5
    DECIDED = 6
    EDITED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`dot`: CSS class of its colour. `moves`: (from, to), two statuses of the call."""

    at: datetime
    rank: int
    dot: str
    title: str
    who: str = ""
    lines: Sequence[str] = ()
    moves: tuple[str, str] | None = None
    recording: str = ""  # a web address
    transcript: str = ""
    url: str = ""
    url_text: str = ""

    @property
    def plays(self) -> bool:
        """The page may fetch media over HTTPS alone."""
        return self.recording.startswith("https://")


def timeline(
    call: Call,
    *,
    events: Iterable[CallEvent],
    attempts: Sequence[CallAttempt],
    callbacks: Iterable[CarrierCallback],
    listings: Iterable[DoNotCallEntry],
    edits: Iterable[AuditEvent],
) -> list[Moment]:
    numbers = {attempt.id: number for number, attempt in enumerate(attempts, start=1)}
    moments = [
        _moment(call.created_at, _Rank.ADDED, "od-pending", "The contact was added to the batch"),
        *map(_decision, events),
        *(moment for attempt in attempts for moment in _attempt(attempt, numbers[attempt.id])),
        *(_callback(callback, numbers) for callback in callbacks),
        *(moment for entry in listings for moment in _listing(entry)),
        *map(_edit, edits),
    ]
    return sorted(moments, key=attrgetter("at", "rank"))


def _moment(at: datetime, rank: int, dot: str, title: str) -> Moment:
    return Moment(at=at, rank=rank, dot=dot, title=title)


def _decision(event: CallEvent) -> Moment:
    reason = EventReason(event.reason)
    has_moved = event.from_status != event.to_status
    by_itself = CARRIER if reason in _BY_CARRIER else DIALER
    said = AttemptStatus(event.detail).label if event.detail in AttemptStatus else event.detail
    return Moment(
        at=event.created_at,
        rank=_Rank.CLAIMED if reason is EventReason.CLAIMED else _Rank.DECIDED,
        dot=f"od-{event.to_status}",
        title=reason.label,
        who=str(event.user or by_itself),
        lines=[f"Said of the attempt: {said.lower()}."] if said else [],
        moves=(event.get_from_status_display(), event.to_status) if has_moved else None,
    )


# --- Attempts -------------------------------------------------------------------------------------


def _attempt(attempt: CallAttempt, number: int) -> Iterator[Moment]:
    name = f"Attempt {number}"
    is_over = attempt.ended_at is not None
    recording = web_address(attempt.recording_url)
    named = [f"Our reference: {attempt.request_uuid}"]
    if attempt.carrier_call_id:
        named.append(f"The carrier's: {attempt.carrier_call_id}")
    yield Moment(
        at=attempt.created_at,
        rank=_Rank.PLACED,
        dot="od-in-progress",
        title=f"{name} from {attempt.from_number}",
        who=DIALER,
        lines=named if is_over else [*named, *_how_it_ended(attempt)],
        recording="" if is_over else recording,
        transcript="" if is_over else attempt.transcript,
    )
    if attempt.answered_at:
        by = _ANSWERED_BY.get(attempt.answered_by, "")
        yield Moment(
            at=attempt.answered_at,
            rank=_Rank.ANSWERED,
            dot="od-completed",
            title=f"{name} was answered{f' by {by}' if by else ''}",
            who=CONTACT,
        )
    if attempt.ended_at:
        yield Moment(
            at=attempt.ended_at,
            rank=_Rank.ENDED,
            dot=_dot_of_end(attempt),
            title=f"{name} ended: {attempt.get_status_display().lower()}",
            lines=_how_it_ended(attempt),
            recording=recording,
            transcript=attempt.transcript,
        )


def web_address(text: str) -> str:
    """What a carrier sent may be anything; only this is made a link."""
    return text if text.startswith(("https://", "http://")) else ""


def _dot_of_end(attempt: CallAttempt) -> str:
    if attempt.status == AttemptStatus.UNKNOWN:
        return f"od-{CallStatus.UNKNOWN}"
    return "od-completed" if attempt.answered_at else "od-missed"


def _how_it_ended(attempt: CallAttempt) -> list[str]:
    lines = []
    if attempt.answered_at:
        minutes, seconds = divmod(attempt.talk_seconds, 60)
        lines.append(f"Talk time {minutes}:{seconds:02}")
    if attempt.hangup_cause:
        lines.append(f"Hang-up cause: {attempt.hangup_cause}")
    return lines


# --- Callbacks, listings, edits -------------------------------------------------------------------


def _callback(callback: CarrierCallback, numbers: dict[str, int]) -> Moment:
    carrier = CARRIERS[callback.carrier].title if callback.carrier in CARRIERS else callback.carrier
    hook = urlsplit(callback.url).path.rstrip("/").rpartition("/")[2]
    said = _said(callback)
    return Moment(
        at=callback.received_at,
        rank=_Rank.TOLD,
        dot="od-missed",
        title=f"{carrier} {_ASKED.get(hook, 'sent something')}{f': {said}' if said else ''}",
        who=CARRIER,
        lines=[
            f"About attempt {numbers.get(callback.attempt_id, '?')}. "
            f"{_EFFECTS.get(callback.effect, callback.effect)}"
        ],
        url=reverse("admin:batches_carriercallback_change", args=[callback.id]),
        url_text="As it came",
    )


def _said(callback: CarrierCallback) -> str:
    """The status that it tells, in the carriers' common words."""
    sent = Callback(url=callback.url, headers={}, body=bytes(callback.body))
    try:
        report = CARRIERS[callback.carrier].parse_callback(sent)
    except (KeyError, ValueError):  # of a carrier that is no more; unreadable
        return ""
    return report.progress.value if isinstance(report, CallReport) else ""


def _listing(entry: DoNotCallEntry) -> Iterator[Moment]:
    url = reverse("admin:batches_donotcallentry_change", args=[entry.id])
    is_pressed = entry.created_by is None and entry.type == OPT_OUT
    yield Moment(
        at=entry.created_at,
        rank=_Rank.EDITED,
        dot="od-skipped",
        title="The number went on the do-not-call list",
        who=CONTACT if is_pressed else str(entry.created_by or ""),
        lines=[f"Why: {entry.type}"] if entry.type else [],
        url=url,
        url_text="The entry",
    )
    if entry.deleted_at:
        yield Moment(
            at=entry.deleted_at,
            rank=_Rank.EDITED,
            dot="od-skipped",
            title="The number was taken off the do-not-call list",
            url=url,
            url_text="The entry",
        )


def _edit(event: AuditEvent) -> Moment:
    return Moment(
        at=event.created_at,
        rank=_Rank.EDITED,
        dot="od-cancelled",
        title=action_in_words(event.action),
        who=str(event.user or ""),
        lines=[f"With: {credential_in_words(event.credential_kind, event.credential)}"],
        url=reverse("admin:workspaces_auditevent_change", args=[event.id]),
        url_text="The audit event",
    )
