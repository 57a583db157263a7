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

from batches.imports.external_ids import EXTERNAL_ID
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
    {
        "id": "bytea",
        "phone_number": "text",
        "variables": "jsonb",
        "timezone": "text",
        "external_id": "text",
    },
)
_AS_ARRAYS = """
incoming AS (
    SELECT * FROM unnest(%s::bytea[], %s::text[], %s::jsonb[], %s::text[], %s::text[])
        AS row (id, phone_number, variables, timezone, external_id)
),
"""
_NEW_CALL = """
INSERT INTO batches_call (
    id, workspace_id, batch_id, phone_number, variables, timezone, external_id,
    status, attempts_made, is_picked, session_id, next_attempt_at, created_at, updated_at
)
SELECT incoming.id, %s::bytea, %s::bytea, incoming.phone_number, incoming.variables, incoming.timezone,
    incoming.external_id,
    'pending', 0, false, %s::bytea, %s::timestamptz, %s::timestamptz, %s::timestamptz
FROM incoming
"""
# A file makes a new batch, so the only conflict is with an earlier row of itself: the first stays.
_INSERT_FIRST = f"{_NEW_CALL} ON CONFLICT (batch_id, phone_number) DO NOTHING"
# Calls that exist are locked in the order of their numbers, as everybody does who locks several.
# A record without an external id leaves a call its own: it would be rung again by the next import.
_UPSERT = f"""
WITH {{incoming}} existing AS MATERIALIZED (
    SELECT call.id, call.phone_number, call.status
    FROM batches_call AS call JOIN incoming ON incoming.phone_number = call.phone_number
    WHERE call.batch_id = %s::bytea
    ORDER BY call.phone_number FOR NO KEY UPDATE OF call
), changed AS (
    UPDATE batches_call AS call SET
        variables = CASE WHEN incoming.external_id = '' AND call.external_id <> ''
            THEN incoming.variables || jsonb_build_object('{EXTERNAL_ID}', call.external_id)
            ELSE incoming.variables END,
        timezone = incoming.timezone,
        external_id = coalesce(nullif(incoming.external_id, ''), call.external_id),
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
# The conditions say of both that they are not empty: by that the partial index is found.
_KNOWN = """
SELECT external_id FROM batches_call
WHERE batch_id = %s AND external_id = ANY(%s::text[]) AND NOT external_id = ''
"""
_DROP_KNOWN = """
DELETE FROM pg_temp.incoming WHERE NOT external_id = '' AND EXISTS (
    SELECT FROM batches_call AS call
    WHERE call.batch_id = %s AND call.external_id = incoming.external_id
        AND NOT call.external_id = ''
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
    """What became of staged contacts: a call id for each that was stored, in their order, what was
    there before, and how many were left out, for the batch has their external id already."""

    call_ids: list[str]
    added: int
    old_statuses: Counter[str]  # of the calls that existed
    known: int

    @property
    def updated(self) -> int:
        return self.old_statuses.total()

    @property
    def stored(self) -> int:
        """Calls, new or updated."""
        return self.added + self.updated

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
        self._records = contacts
        self.contacts = {contact.phone_number: contact for contact in contacts}
        self.ids = {number: new_object_id() for number in self.contacts}
        self.is_copied = len(self.contacts) > FEW

    def leave_known(self, batch_id: str) -> int:
        """Leave contacts out whose external id the batch has already. Returns how many records."""
        external_ids = {contact.external_id for contact in self._records} - {""}
        if not external_ids:
            return 0
        known = {
            external_id
            for (external_id,) in fetch_all(_KNOWN, [_bytes(batch_id), list(external_ids)])
        }
        if not known:
            return 0
        self.contacts = {
            number: contact
            for number, contact in self.contacts.items()
            if contact.external_id not in known
        }
        self.ids = {number: self.ids[number] for number in self.contacts}
        before = len(self._records)
        self._records = [
            contact
            for contact in self._records
            if contact.external_id not in known and contact.phone_number in self.contacts
        ]
        return before - len(self._records)

    def lines(self) -> list[bytes]:
        return [line_of(contact, self.ids[number]) for number, contact in self.contacts.items()]

    def upsert(self, to: Destination) -> Loaded:
        """Into a batch that may have calls, under the rules of adding a number again."""
        known = self.leave_known(to.batch_id)
        if known and self.is_copied:
            execute(_DROP_KNOWN, [_bytes(to.batch_id)])
        statement = _UPSERT.format(incoming="" if self.is_copied else _AS_ARRAYS, result=_CHANGED)
        params = [*([] if self.is_copied else self._arrays()), *_upsert_params(to)]
        ids, old_statuses = dict(self.ids), Counter[str]()
        for number, call_id, status in fetch_all(statement, params):
            ids[number] = bytes(call_id).hex()
            old_statuses[status] += 1
        added = len(ids) - old_statuses.total()
        call_ids = [ids[contact.phone_number] for contact in self._records]
        return Loaded(call_ids, added, old_statuses, known)

    def _arrays(self) -> list[Any]:
        contacts = self.contacts.values()
        return [
            array_literal([bytes.fromhex(id_) for id_ in self.ids.values()]),
            list(self.contacts),
            [contact.variables.decode() for contact in contacts],
            [contact.timezone for contact in contacts],
            [contact.external_id for contact in contacts],
        ]


@contextmanager
def staged_contacts(contacts: Sequence[Contact]) -> Iterator[Staged]:
    """Stage contacts, which must not be none; before the transaction that loads them."""
    staged = Staged(contacts)
    if not staged.is_copied:
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

    def leave_known(self, batch_id: str) -> int:
        """As of any staged contacts."""
        known = execute(_DROP_KNOWN, [_bytes(batch_id)])
        self.rows -= known
        return known

    def foreseen(self, *, workspace_id: str, batch_id: str) -> tuple[int, int]:
        """How many numbers the batch has already, and how many are on the do-not-call list."""
        params = [bytes.fromhex(batch_id), bytes.fromhex(workspace_id)]
        [(existing, listed)] = fetch_all(_FORESEEN, params)
        return existing, listed

    def upsert(self, to: Destination) -> Loaded:
        """As of any staged contacts, but without their ids: there may be a million."""
        known = self.leave_known(to.batch_id)
        statement = _UPSERT.format(incoming="", result=_COUNTED)
        old_statuses = Counter[str](dict(fetch_all(statement, _upsert_params(to))))
        return Loaded([], self.rows - old_statuses.total(), old_statuses, known)


def line_of(contact: Contact, call_id: str) -> bytes:
    """A contact as a line for COPY."""
    return b"\\\\x%b\t%b\t%b\t%b\t%b\n" % (
        call_id.encode(),
        contact.phone_number.encode(),
        contact.variables.replace(b"\\", b"\\\\"),  # the one thing in JSON that COPY would read
        contact.timezone.encode(),
        contact.external_id.replace("\\", "\\\\").encode(),
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
