"""Checked contacts into the calls of a batch.

Rows are staged first, outside of a transaction: many in a temporary table by COPY, up to a thousand as
arrays in the statement itself. What reads them, `incoming` in the statements below, is the same text
for both. Then one statement in the caller's transaction puts them in place.

The caller holds the lock of the batch's row: nobody else adds to this batch meanwhile.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from batches.imports.records import Contact
from batches.imports.staging import StagingTable
from batches.models import CallStatus
from batches.models.call import EventReason
from workspaces.ids import new_object_id
from workspaces.sql import array_literal, execute, fetch_all

FEW = 1000  # so many go as arrays: a temporary table costs more (2.3 ms against 0.7)
FINISHED = [CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.SKIPPED, CallStatus.CANCELLED]

INCOMING = StagingTable(
    "incoming",
    {"id": "bytea", "phone_number": "text", "variables": "jsonb", "timezone": "text"},
)
_AS_ARRAYS = """
incoming AS (
    SELECT * FROM unnest(%s::bytea[], %s::text[], %s::jsonb[], %s::text[])
        AS row (id, phone_number, variables, timezone)
),
"""
_NEW_CALL = """
INSERT INTO batches_call (
    id, workspace_id, batch_id, phone_number, variables, timezone,
    status, attempts_made, is_picked, session_id, next_attempt_at, created_at, updated_at
)
SELECT incoming.id, %s::bytea, %s::bytea, incoming.phone_number, incoming.variables, incoming.timezone,
    'pending', 0, false, %s::bytea, %s::timestamptz, %s::timestamptz, %s::timestamptz
FROM incoming
"""
# A file makes a new batch, so the only conflict is with an earlier row of itself: the first stays.
_INSERT_FIRST = f"{_NEW_CALL} ON CONFLICT (batch_id, phone_number) DO NOTHING"
# Calls that exist are locked in the order of their numbers, as everybody does who locks several.
_UPSERT = f"""
WITH {{incoming}} existing AS MATERIALIZED (
    SELECT call.id, call.phone_number, call.status
    FROM batches_call AS call JOIN incoming ON incoming.phone_number = call.phone_number
    WHERE call.batch_id = %s::bytea
    ORDER BY call.phone_number FOR NO KEY UPDATE OF call
), changed AS (
    UPDATE batches_call AS call SET
        variables = incoming.variables,
        timezone = incoming.timezone,
        status = CASE WHEN existing.status = ANY(%s::text[]) THEN 'pending' ELSE call.status END,
        attempts_made =
            CASE WHEN existing.status = ANY(%s::text[]) THEN 0 ELSE call.attempts_made END,
        next_attempt_at =
            CASE WHEN existing.status = ANY(%s::text[]) THEN %s::timestamptz
                ELSE call.next_attempt_at END,
        session_id = %s::bytea,
        updated_at = %s::timestamptz
    FROM existing JOIN incoming ON incoming.phone_number = existing.phone_number
    WHERE call.id = existing.id
    RETURNING call.id, call.workspace_id, existing.phone_number, existing.status,
        incoming.id AS event_id
), told AS (
    INSERT INTO batches_callevent
        (id, workspace_id, call_id, from_status, to_status, reason, user_id, created_at)
    SELECT event_id, workspace_id, id, status, 'pending', '{EventReason.ADDED_AGAIN.value}',
        %s::bytea, %s::timestamptz
    FROM changed WHERE status = ANY(%s::text[])
), added AS (
    {_NEW_CALL}
    WHERE NOT EXISTS (
        SELECT FROM existing WHERE existing.phone_number = incoming.phone_number
    )
)
{{result}}
"""  # noqa: S608 (our own names)
_CHANGED = "SELECT phone_number, id, status FROM changed"
_COUNTED = "SELECT status, count(*) FROM changed GROUP BY status"
# The order of a new table that was only copied into is that of the rows.
_DROP_REPEATED = """
DELETE FROM pg_temp.incoming WHERE ctid IN (
    SELECT ctid FROM (
        SELECT ctid, row_number() OVER (PARTITION BY phone_number ORDER BY ctid) AS place
        FROM pg_temp.incoming
    ) AS row WHERE place > 1
)
"""
_FORESEEN = """
SELECT
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM batches_call AS call
        WHERE call.batch_id = %s AND call.phone_number = incoming.phone_number
    )),
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM batches_donotcallentry AS entry
        WHERE entry.workspace_id = %s AND entry.phone_number = incoming.phone_number
            AND entry.deleted_at IS NULL
    ))
FROM pg_temp.incoming
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where staged contacts go, and on whose behalf. `session_id`: the start that asked for them."""

    workspace_id: str
    batch_id: str
    session_id: str | None
    user_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of staged contacts: a call id for each, in their order, and what was there before."""

    call_ids: list[str]
    added: int
    old_statuses: Counter[str]  # of the calls that existed

    @property
    def old_ends(self) -> dict[str, int]:
        """Those that had ended, and are to be called again."""
        return {old: number for old, number in self.old_statuses.items() if old in FINISHED}

    @property
    def to_call(self) -> int:
        """How many calls are pending because of this."""
        return self.added + sum(self.old_ends.values())


class Staged:
    """Contacts ready to be put into a batch. Of a repeated number the last one counts."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self._numbers = [contact.phone_number for contact in contacts]
        self.contacts = {contact.phone_number: contact for contact in contacts}
        self.ids = {number: new_object_id() for number in self.contacts}

    @property
    def are_few(self) -> bool:
        return len(self.contacts) <= FEW

    def lines(self) -> list[bytes]:
        return [line_of(contact, self.ids[number]) for number, contact in self.contacts.items()]

    def upsert(self, to: Destination) -> Loaded:
        """Into a batch that may have calls, under the rules of adding a number again."""
        statement = _UPSERT.format(incoming=_AS_ARRAYS if self.are_few else "", result=_CHANGED)
        params = [*(self._arrays() if self.are_few else []), *_upsert_params(to)]
        ids, old_statuses = dict(self.ids), Counter[str]()
        for number, call_id, status in fetch_all(statement, params):
            ids[number] = bytes(call_id).hex()
            old_statuses[status] += 1
        added = len(ids) - old_statuses.total()
        return Loaded([ids[number] for number in self._numbers], added, old_statuses)

    def _arrays(self) -> list[Any]:
        contacts = self.contacts.values()
        return [
            array_literal([bytes.fromhex(id_) for id_ in self.ids.values()]),
            list(self.contacts),
            [contact.variables.decode() for contact in contacts],
            [contact.timezone for contact in contacts],
        ]


@contextmanager
def staged_contacts(contacts: Sequence[Contact]) -> Iterator[Staged]:
    """Stage contacts, which must not be none; before the transaction that loads them."""
    staged = Staged(contacts)
    if staged.are_few:
        yield staged
        return
    with INCOMING.opened():
        INCOMING.copy(staged.lines())
        INCOMING.analyze()
        yield staged


class StagedFile(Staged):
    """The rows of a file that are in `INCOMING`. Of a repeated number the first one counts."""

    def __init__(self, rows: int) -> None:
        """`rows`: how many were copied. Those that repeat a number go."""
        super().__init__([])
        self.repeated = execute(_DROP_REPEATED, [])
        self.rows = rows - self.repeated
        INCOMING.analyze()

    def foreseen(self, *, workspace_id: str, batch_id: str) -> tuple[int, int]:
        """How many numbers the batch has already, and how many are on the do-not-call list."""
        params = [bytes.fromhex(batch_id), bytes.fromhex(workspace_id)]
        [(existing, listed)] = fetch_all(_FORESEEN, params)
        return existing, listed

    def upsert(self, to: Destination) -> Loaded:
        """As of any staged contacts, but without their ids: there may be a million."""
        statement = _UPSERT.format(incoming="", result=_COUNTED)
        old_statuses = Counter[str](dict(fetch_all(statement, _upsert_params(to))))
        return Loaded([], self.rows - old_statuses.total(), old_statuses)


def line_of(contact: Contact, call_id: str) -> bytes:
    """A contact as a line for COPY."""
    return b"\\\\x%b\t%b\t%b\t%b\n" % (
        call_id.encode(),
        contact.phone_number.encode(),
        contact.variables.replace(b"\\", b"\\\\"),  # the one thing in JSON that COPY would read
        contact.timezone.encode(),
    )


def insert_staged(destination: Destination) -> int:
    """The staged rows as the calls of a new batch; of a repeated number the first. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_FIRST, _new_call(destination))
        return int(cursor.rowcount)


def _upsert_params(to: Destination) -> list[Any]:
    batch, session = bytes.fromhex(to.batch_id), _bytes(to.session_id)
    existing = [batch, FINISHED, FINISHED, FINISHED, to.now, session, to.now]
    told = [bytes.fromhex(to.user_id), to.now, FINISHED]
    return [*existing, *told, *_new_call(to)]


def _new_call(to: Destination) -> list[Any]:
    return [
        bytes.fromhex(to.workspace_id),
        bytes.fromhex(to.batch_id),
        _bytes(to.session_id),
        to.now,
        to.now,
        to.now,
    ]


def _bytes(id_: str | None) -> bytes | None:
    return None if id_ is None else bytes.fromhex(id_)
