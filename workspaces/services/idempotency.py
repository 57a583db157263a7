"""Requests that are carried out once: claimed by their key, answered again from what was kept.

A claim is a row of its own, committed before the work begins, so that a second request sees it. The
row's id is the claim: whoever takes over one that ran out gives it another, and the first can then no
longer store an answer, nor what it would tell of.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from rest_framework.exceptions import APIException

from workspaces.ids import new_object_id
from workspaces.models import IdempotentRequest
from workspaces.sql import execute

HEADER = "Idempotency-Key"
# A claim whose process died ends then. The longest requests, large files, take a minute or two.
CLAIM_LASTS = timedelta(minutes=5)
LONGEST_WAIT = 30  # seconds, as asked for in Retry-After
_ATTEMPTS = 5

_CLAIM = """
INSERT INTO workspaces_idempotentrequest
    (id, workspace_id, operation, key, fingerprint, claimed_until, headers, created_at)
VALUES (%s, %s, %s, %s, %s, %s, '{}', %s)
ON CONFLICT (workspace_id, operation, key) DO NOTHING
"""


class KeyReused(APIException):
    """The key came with another request before."""

    status_code = 422
    default_detail = "This key was used for another request. Send a new one with a new request."
    default_code = "idempotency_key_reused"
    field = HEADER


class StillRunning(APIException):
    """The request with this key has not come to its end, or another one has taken it over."""

    status_code = 409
    default_detail = "A request with this key is still running. Ask again in a moment."
    default_code = "idempotency_key_in_use"
    field = HEADER

    def __init__(self, wait: int = 1) -> None:
        """`wait`: seconds, for Retry-After."""
        super().__init__()
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """A request with a key. `content` is all that it asks for, in one form for requests that mean the
    same; it may hold secrets, so only a keyed digest of it is kept.
    """

    workspace_id: str
    operation: str
    key: str
    content: bytes

    def fingerprint(self) -> bytes:
        """Under the newest pepper."""
        return self._digest(max(settings.CREDENTIAL_PEPPERS))

    def is_of(self, fingerprint: bytes) -> bool:
        """Whether this is its digest, under a pepper old or new."""
        newest_first = sorted(settings.CREDENTIAL_PEPPERS, reverse=True)
        return any(hmac.compare_digest(self._digest(one), fingerprint) for one in newest_first)

    def _digest(self, pepper: int) -> bytes:
        secret = settings.CREDENTIAL_PEPPERS[pepper].encode()
        digest = hmac.new(secret, f"{HEADER}\n{self.operation}\n".encode(), "sha256")
        digest.update(self.content)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a request."""

    id: str
    workspace_id: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    status_code: int
    headers: dict[str, str]
    body: bytes


def claim_request(*, request: KeyedRequest, now: datetime) -> Claim | KeptAnswer:
    """The right to carry the request out, or the answer that it got before.

    Must not be called inside a transaction: others have to see the claim at once. Raises KeyReused,
    StillRunning.
    """
    kept = IdempotentRequest.objects.for_workspace(request.workspace_id)
    rows = kept.filter(operation=request.operation, key=request.key)
    for _ in range(_ATTEMPTS):
        claim = Claim(new_object_id(), request.workspace_id)
        if _insert(claim, request, now):
            return claim
        row = rows.first()
        if row is None:  # it has failed meanwhile
            continue
        if _is_over(row, now):
            if _take_over(row, claim, request, now):
                return claim
            continue  # it has ended meanwhile, or somebody else was quicker
        if not request.is_of(bytes(row.fingerprint)):
            raise KeyReused
        if row.status_code is None or row.body is None:
            raise StillRunning(_wait(row, now))
        return KeptAnswer(row.status_code, row.headers, bytes(row.body))
    raise StillRunning


def keep_answer(*, claim: Claim, answer: KeptAnswer, now: datetime) -> None:
    """Store the answer, in the transaction of what it tells of.

    Raises StillRunning: somebody has taken over the claim, so the transaction must not be committed.
    """
    mine = IdempotentRequest.objects.for_workspace(claim.workspace_id)
    kept = mine.filter(id=claim.id, finished_at=None).update(
        status_code=answer.status_code,
        headers=answer.headers,
        body=answer.body,
        finished_at=now,
    )
    if not kept:
        raise StillRunning


def give_up_claim(claim: Claim) -> None:
    """The request has failed: its key is free again."""
    mine = IdempotentRequest.objects.for_workspace(claim.workspace_id)
    mine.filter(id=claim.id, finished_at=None).delete()


def delete_old_requests(*, before: datetime) -> int:
    """Forget requests that were made before this time. Returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=before).delete()[0]


def _insert(claim: Claim, request: KeyedRequest, now: datetime) -> int:
    params = [
        *(bytes.fromhex(claim.id), bytes.fromhex(claim.workspace_id)),
        *(request.operation, request.key, request.fingerprint(), now + CLAIM_LASTS, now),
    ]
    return execute(_CLAIM, params)


def _is_over(row: IdempotentRequest, now: datetime) -> bool:
    if row.finished_at is None:
        return row.claimed_until <= now
    return row.created_at <= now - IdempotentRequest.KEPT_FOR


def _take_over(row: IdempotentRequest, claim: Claim, request: KeyedRequest, now: datetime) -> int:
    """Compare-and-set: of several one gets it, and none gets one that has ended meanwhile."""
    mine = IdempotentRequest.objects.for_workspace(claim.workspace_id)
    return mine.filter(id=row.id, finished_at=row.finished_at).update(
        id=claim.id,
        fingerprint=request.fingerprint(),
        claimed_until=now + CLAIM_LASTS,
        status_code=None,
        headers={},
        body=None,
        created_at=now,
        finished_at=None,
    )


def _wait(row: IdempotentRequest, now: datetime) -> int:
    """Seconds: as long again as it has been running, so that nobody asks all the time."""
    return min(max(int((now - row.created_at).total_seconds()), 1), LONGEST_WAIT)
