"""An installation in the middle of its day: what the screenshots show and axe-core reads."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.utils import timezone

from batches.models import (
    AttemptStatus,
    BatchStatus,
    Call,
    CallAttempt,
    CallBatch,
    CallEvent,
    CallStatus,
    DialingSession,
    EventReason,
    ImportStatus,
    PauseReason,
)
from batches.services.callback_archive import keep_callback
from batches.services.counters import PICKED, change_counts
from calling.carriers.base import Callback
from calling.models import PhoneNumber
from tests import factories
from tests.browser.showcase_webhooks import ShownWebhooks, webhooks
from workspaces.callers import Role
from workspaces.ids import new_object_id
from workspaces.models import AuditEvent, User, Workspace
from workspaces.services.dialing import wake

EMAIL = "dana@acme.example"
NAMES = ("Sarah Johnson", "Michael Chen", "Priya Patel", "James O'Neill", "Aiko Tanaka")
_ENDED = (
    [CallStatus.COMPLETED] * 14 + [CallStatus.FAILED] * 5 + [CallStatus.SKIPPED, CallStatus.UNKNOWN]
)
_DETAILS = {
    CallStatus.COMPLETED: (AttemptStatus.COMPLETED, EventReason.ANSWERED),
    CallStatus.FAILED: (AttemptStatus.NO_ANSWER, EventReason.ATTEMPTS_USED_UP),
    CallStatus.UNKNOWN: (AttemptStatus.UNKNOWN, EventReason.OUTCOME_UNKNOWN),
    CallStatus.IN_PROGRESS: (AttemptStatus.RINGING, EventReason.CLAIMED),
}


@dataclass(frozen=True)
class Showcase:
    """`batch` is being dialed; `call` of it was answered; `pending` waits."""

    viewer: User
    workspace: Workspace
    batch: CallBatch
    call: Call
    pending: Call
    hooks: ShownWebhooks


class _Builder:
    def __init__(self) -> None:
        self.now = timezone.now()
        self.random = random.Random(7)  # noqa: S311 (the same pictures each time)
        self.viewer = factories.UserFactory.create(
            email=EMAIL, name="Dana Whitfield", is_staff=True, last_login=self.now
        )
        self.workspace = factories.WorkspaceFactory.create(
            name="Acme Outreach", concurrency_limit=50, called_countries=["US", "GB"]
        )
        self.own = {"workspace": self.workspace, "created_by": self.viewer}
        factories.MembershipFactory.create(workspace=self.workspace, user=self.viewer)

    def build(self) -> Showcase:
        self.people()
        phones = self.numbers()
        batch = self.batch("Spring renewal reminders", BatchStatus.ACTIVE, phones)
        calls = self.calls(batch, phones, ended=540, pending=460, ringing=6)
        self.others(phones)
        self.lists(batch)
        answered = next(call for call in calls if call.status == CallStatus.COMPLETED)
        self.history(answered, phones[0])
        wake(self.workspace.id, self.now)
        pending = next(call for call in calls if call.status == CallStatus.PENDING)
        hooks = webhooks(self.workspace, self.viewer, answered, self.now)
        return Showcase(self.viewer, self.workspace, batch, answered, pending, hooks)

    def people(self) -> None:
        for email, name, role in (
            ("lee@acme.example", "Lee Park", Role.ADMIN),
            ("noor@acme.example", "Noor Haddad", Role.MEMBER),
        ):
            somebody = factories.UserFactory.create(email=email, name=name, last_login=self.now)
            factories.MembershipFactory.create(
                workspace=self.workspace, user=somebody, role=role, created_at=self.now
            )
        for name, days in (("CRM integration", 6), ("Nightly import", 200)):
            factories.ApiKeyFactory.create(
                **self.own,
                name=name,
                expires_at=self.now + timedelta(days=days),
                last_used_at=self.now - timedelta(minutes=4),
            )

    def numbers(self) -> list[PhoneNumber]:
        agent = factories.AgentFactory.create(
            **self.own,
            name="Renewal assistant",
            variables=[
                {"key": "name", "type": "string", "required": True},
                {"key": "renews_on", "type": "date", "required": True},
                {"key": "plan", "type": "enum", "enum": ["basic", "plus"], "required": False},
            ],
            connection_target="Hello {name}, this is Acme. Your {plan} plan renews on {renews_on}.",
            opt_out_key="9",
            opt_out_message="You will not be called again.",
        )
        well = factories.CarrierAccountFactory.create(
            workspace=self.workspace, calls_per_second=20, concurrency_limit=50
        )
        failing = factories.CarrierAccountFactory.create(
            workspace=self.workspace,
            carrier="twilio",
            failures=8,
            resting_until=self.now + timedelta(minutes=1),
            last_error="503: the service is not available",
            last_error_at=self.now,
        )
        rows = (("+12125550100", "Reception", well), ("+12125550101", "Renewals", well))
        phones = [
            factories.PhoneNumberFactory.create(
                **self.own, number=number, label=label, account=account, agent=agent, daily_cap=500
            )
            for number, label, account in rows
        ]
        factories.PhoneNumberFactory.create(
            **self.own,
            number="+13125550142",
            label="Chicago",
            carrier="twilio",
            account=failing,
            agent=agent,
        )
        return phones

    def batch(
        self, name: str, status: BatchStatus, phones: list[PhoneNumber], reason: str = ""
    ) -> CallBatch:
        batch: CallBatch = factories.CallBatchFactory.create(
            **self.own,
            name=name,
            status=status,
            status_reason=reason,
            retry=3,
            delay=600,
            timezone="America/New_York",
            calling_hour_start=0,
            calling_hour_end=24 * 60,
            allowed_days=[0, 1, 2, 3, 4, 5, 6],
            created_at=self.now - timedelta(hours=10),
        )
        for position, phone in enumerate(phones):
            factories.BatchNumberFactory.create(batch=batch, phone=phone, position=position)
        return batch

    def calls(
        self, batch: CallBatch, phones: list[PhoneNumber], *, ended: int, pending: int, ringing: int
    ) -> list[Call]:
        statuses = [self.random.choice(_ENDED) for _ in range(ended)]
        statuses += [CallStatus.IN_PROGRESS] * ringing + [CallStatus.PENDING] * pending
        rows = [self.call(batch, status, row) for row, status in enumerate(statuses)]
        Call.objects.bulk_create(rows)
        attempts = [
            self.attempt(call, phones[row % len(phones)])
            for row, call in enumerate(rows)
            if call.status in _DETAILS
        ]
        CallAttempt.objects.bulk_create(attempts)
        for call, attempt in zip(
            [call for call in rows if call.status in _DETAILS], attempts, strict=True
        ):
            if call.status == CallStatus.IN_PROGRESS:
                factories.LeaseFactory.create(
                    attempt=attempt, call=call, phone=phones[0], sent_at=self.now
                )
        changes = {status.value: statuses.count(status) for status in CallStatus}
        changes[PICKED] = statuses.count(CallStatus.COMPLETED)
        change_counts(workspace_id=self.workspace.id, batch_id=batch.id, changes=changes)
        return rows

    def call(self, batch: CallBatch, status: CallStatus, row: int) -> Call:
        created = self.now - timedelta(hours=10) + timedelta(milliseconds=row)
        return Call(
            workspace=self.workspace,
            batch=batch,
            phone_number=f"+1310{5550000 + row}",
            variables={
                "name": NAMES[row % len(NAMES)],
                "renews_on": "2026-12-01",
                "plan": "plus" if row % 3 else "basic",
            },
            timezone="America/Los_Angeles" if row % 3 == 0 else "",
            status=status,
            attempts_made=int(status in _DETAILS),
            is_picked=status == CallStatus.COMPLETED,
            next_attempt_at=created,
            created_at=created,
            updated_at=created,
        )

    def attempt(self, call: Call, phone: PhoneNumber) -> CallAttempt:
        status, _ = _DETAILS[CallStatus(call.status)]
        is_ringing = call.status == CallStatus.IN_PROGRESS
        minutes = 0 if is_ringing else self.random.triangular(1, 480, 90)
        began = self.now - timedelta(minutes=minutes)
        answered = began + timedelta(seconds=9) if status == AttemptStatus.COMPLETED else None
        return CallAttempt(
            id=f"{int(began.timestamp()):08x}{new_object_id()[8:]}",  # ids begin with their time
            workspace=self.workspace,
            batch=call.batch,
            call=call,
            request_uuid=uuid4(),
            phone=phone,
            from_number=phone.number,
            to_number=call.phone_number,
            status=status,
            carrier_call_id=f"SIM-{call.phone_number[-4:]}",
            talk_seconds=48 if answered else 0,
            hangup_cause="" if is_ringing else "normal clearing" if answered else "no answer",
            answered_by="human" if answered else "",
            created_at=began,
            answered_at=answered,
            ended_at=None if is_ringing else began + timedelta(seconds=57),
        )

    def others(self, phones: list[PhoneNumber]) -> None:
        refused = self.batch(
            "Appointment confirmations",
            BatchStatus.PAUSED,
            phones,
            reason=PauseReason.CARRIER_FAILING,
        )
        self.calls(refused, phones, ended=120, pending=80, ringing=0)
        done = self.batch("Customer survey, June", BatchStatus.COMPLETED, phones)
        self.calls(done, phones, ended=300, pending=0, ringing=0)
        stopped = self.batch("Overdue invoices", BatchStatus.STOPPED, phones)
        self.calls(stopped, phones, ended=40, pending=160, ringing=0)
        self.batch("New customers", BatchStatus.DRAFT, phones)

    def lists(self, batch: CallBatch) -> None:
        for row, kind in enumerate(("asked on the phone", "api", "key press", "import")):
            factories.DoNotCallEntryFactory.create(
                **self.own, phone_number=f"+1617555010{row}", type=kind, batch=batch
            )
        done = factories.ImportFactory.create(
            **self.own,
            batch=batch,
            file_name="renewals-november.csv",
            status=ImportStatus.STORED,
            progress=100,
            rows_read=1012,
            rows_added=1006,
            rows_invalid=6,
            header=["phoneNumber", "name", "plan"],
        )
        for row in (14, 207, 633):
            factories.ImportErrorRowFactory.create(
                source=done,
                row=row,
                cells=["1310555", "Sarah Johnson", "plus"],
                errors=[{"field": "phoneNumber", "message": "Is no number."}],
            )

    def history(self, call: Call, phone: PhoneNumber) -> None:
        """The whole story of one call: a busy line, then an answer with a recording."""
        began = self.now - timedelta(minutes=50)
        session = DialingSession.objects.create(
            workspace=self.workspace, batch=call.batch, started_by=self.viewer, started_at=began
        )
        CallBatch.objects.filter(id=call.batch_id).update(session=session)
        [answered] = CallAttempt.objects.filter(call=call)
        answered.recording_url = "https://recordings.example/renewals/4711.mp3"
        answered.transcript = "Hello Sarah, this is Acme. – Yes, thank you."
        answered.save()
        busy = factories.CallAttemptFactory.create(
            call=call,
            phone=phone,
            from_number=phone.number,
            to_number=call.phone_number,
            status=AttemptStatus.BUSY,
            hangup_cause="user busy",
            created_at=answered.created_at - timedelta(minutes=10),
            ended_at=answered.created_at - timedelta(minutes=10) + timedelta(seconds=3),
        )
        self.event(call, busy, CallStatus.PENDING, CallStatus.IN_PROGRESS, EventReason.CLAIMED)
        self.event(call, busy, CallStatus.IN_PROGRESS, CallStatus.PENDING, EventReason.RETRY_LATER)
        self.event(call, answered, CallStatus.PENDING, CallStatus.IN_PROGRESS, EventReason.CLAIMED)
        self.event(
            call, answered, CallStatus.IN_PROGRESS, CallStatus.COMPLETED, EventReason.ANSWERED
        )
        callback = Callback(url="https://outdial.example/", headers={}, body=b"CallStatus=busy")
        keep_callback(busy, carrier="simulator", callback=callback, now=busy.ended_at)
        for action in ("batch.create", "batch.update", "batch.start"):
            AuditEvent.objects.create(
                workspace=self.workspace,
                user=self.viewer,
                credential_kind="session",
                action=action,
                target_type="callbatch",
                target_id=call.batch_id,
                ip="192.0.2.17",
                created_at=began,
            )

    def event(
        self,
        call: Call,
        attempt: CallAttempt,
        before: CallStatus,
        after: CallStatus,
        reason: EventReason,
    ) -> None:
        is_end = before == CallStatus.IN_PROGRESS
        at: datetime = (attempt.ended_at or self.now) if is_end else attempt.created_at
        CallEvent.objects.create(
            workspace=self.workspace,
            call=call,
            from_status=before,
            to_status=after,
            reason=reason,
            request_uuid=attempt.request_uuid,
            created_at=at,
        )


def showcase() -> Showcase:
    return _Builder().build()
