"""One factory a model, in one file, for all tests."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import factory
from django.utils.timezone import now
from factory.django import DjangoModelFactory

from batches.models import (
    BatchNumber,
    BatchVariable,
    Call,
    CallAttempt,
    CallBatch,
    CallEvent,
    DialingSession,
    DoNotCallEntry,
    Import,
    ImportErrorRow,
    ImportKind,
    ImportSource,
    Lease,
)
from batches.services.counters import PICKED, change_counts
from calling.models import (
    Agent,
    CarrierAccount,
    CarrierLimiter,
    ConnectionType,
    PhoneNumber,
)
from workspaces.callers import Role, Scope
from workspaces.credentials import mint
from workspaces.models import (
    AccessToken,
    ApiKey,
    Event,
    EventType,
    Membership,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    Workspace,
)

PASSWORD = "correct horse battery staple"


class WorkspaceFactory(DjangoModelFactory):
    name = factory.Sequence(lambda number: f"Workspace {number}")
    timezone = "America/New_York"
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = Workspace


class SandboxFactory(WorkspaceFactory):
    """A sandbox without furniture; its live workspace is `sandbox_of`."""

    sandbox_of = factory.SubFactory(WorkspaceFactory)


class UserFactory(DjangoModelFactory):
    email = factory.Sequence(lambda number: f"user{number}@example.com")
    name = "Somebody"
    created_at = factory.LazyFunction(now)

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return User.objects.create_user(
            kwargs.pop("email"), kwargs.pop("password", PASSWORD), **kwargs
        )


class MembershipFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.OWNER
    created_at = factory.LazyFunction(now)

    class Meta:
        model = Membership


class CredentialFactory(DjangoModelFactory):
    """Rows with a secret of their own; the text stands on the instance as `text`."""

    workspace = factory.SubFactory(WorkspaceFactory)
    created_at = factory.LazyFunction(now)

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        text, secret = mint(model_class.prefix_in(kwargs["workspace"]))
        stored = {"public_id": secret.public_id, "digest": secret.digest, "pepper": secret.pepper}
        credential = super()._create(model_class, *args, **{**stored, **kwargs})
        credential.text = text
        return credential


class ApiKeyFactory(CredentialFactory):
    name = "Integration"
    scopes = factory.LazyFunction(lambda: [Scope.MANAGE.value])
    created_by = factory.SubFactory(UserFactory)

    class Meta:
        model = ApiKey


class AccessTokenFactory(CredentialFactory):
    user = factory.SubFactory(UserFactory)
    expires_at = factory.LazyFunction(lambda: now() + timedelta(days=1))

    class Meta:
        model = AccessToken


class EventFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    type = EventType.BATCH_CREATED
    data = factory.LazyFunction(lambda: {"batchId": "64e5f12345abcdef98765432"})
    created_at = factory.LazyFunction(now)

    class Meta:
        model = Event


class WebhookEndpointFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    url = factory.Sequence(lambda number: f"https://hooks.example.com/{number}")
    secret = "whsec_" + "c2VjcmV0" * 4
    created_by = factory.SubFactory(UserFactory)
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = WebhookEndpoint


class WebhookDeliveryFactory(DjangoModelFactory):
    endpoint = factory.SubFactory(WebhookEndpointFactory)
    workspace = factory.SelfAttribute("endpoint.workspace")
    event = factory.SubFactory(EventFactory, workspace=factory.SelfAttribute("..workspace"))
    next_attempt_at = created_at = factory.LazyFunction(now)

    class Meta:
        model = WebhookDelivery


class AgentFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    name = "Agent"
    language = "en-US"
    connection_type = ConnectionType.MESSAGE
    connection_target = "Hello."
    created_by = factory.SubFactory(UserFactory)
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = Agent


class CarrierAccountFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    carrier = "simulator"
    digest = factory.Sequence(lambda number: number.to_bytes(32))
    credentials = {"accSId": "account", "authToken": "token"}
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = CarrierAccount


class PhoneNumberFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    number = factory.Sequence(lambda number: f"+1212{5550000 + number}")
    carrier = "simulator"
    agent = factory.SubFactory(
        AgentFactory,
        workspace=factory.SelfAttribute("..workspace"),
        created_by=factory.SelfAttribute("..created_by"),
    )
    created_by = factory.SubFactory(UserFactory)
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = PhoneNumber


class CallBatchFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    created_by = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda number: f"Batch {number}")
    timezone = "UTC"
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = CallBatch


class BatchNumberFactory(DjangoModelFactory):
    batch = factory.SubFactory(CallBatchFactory)
    workspace = factory.SelfAttribute("batch.workspace")
    phone = factory.SubFactory(
        PhoneNumberFactory,
        workspace=factory.SelfAttribute("..workspace"),
        created_by=factory.SelfAttribute("..batch.created_by"),
    )
    position = 0

    class Meta:
        model = BatchNumber


class BatchVariableFactory(DjangoModelFactory):
    batch = factory.SubFactory(CallBatchFactory)
    workspace = factory.SelfAttribute("batch.workspace")

    class Meta:
        model = BatchVariable


class DialingSessionFactory(DjangoModelFactory):
    batch = factory.SubFactory(CallBatchFactory)
    workspace = factory.SelfAttribute("batch.workspace")
    started_by = factory.SelfAttribute("batch.created_by")
    started_at = factory.LazyFunction(now)

    class Meta:
        model = DialingSession


class CallFactory(DjangoModelFactory):
    """A call that is counted, as every real one is."""

    batch = factory.SubFactory(CallBatchFactory)
    workspace = factory.SelfAttribute("batch.workspace")
    phone_number = factory.Sequence(lambda number: f"+1310{5550000 + number}")
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = Call

    @classmethod
    def _create(cls, model_class: type[Call], *args: Any, **kwargs: Any) -> Any:
        call = super()._create(model_class, *args, **kwargs)
        change_counts(
            workspace_id=call.workspace_id,
            batch_id=call.batch_id,
            changes={call.status: 1, PICKED: int(call.is_picked)},
        )
        return call


class CallAttemptFactory(DjangoModelFactory):
    call = factory.SubFactory(CallFactory)
    batch = factory.SelfAttribute("call.batch")
    workspace = factory.SelfAttribute("batch.workspace")
    request_uuid = factory.LazyFunction(uuid4)
    from_number = "+12125550100"
    created_at = factory.LazyFunction(now)

    class Meta:
        model = CallAttempt


class LeaseFactory(DjangoModelFactory):
    """An attempt under way; `attempt` is the attempt, whose id is its own."""

    class Params:
        attempt = factory.SubFactory(CallAttemptFactory)

    id = factory.SelfAttribute("attempt.id")
    batch = factory.SelfAttribute("attempt.batch")
    workspace = factory.SelfAttribute("batch.workspace")
    call = factory.SelfAttribute("attempt.call")
    phone = factory.SubFactory(PhoneNumberFactory, workspace=factory.SelfAttribute("..workspace"))
    to_number = factory.SelfAttribute("call.phone_number")
    look_at = factory.LazyFunction(lambda: now() + timedelta(seconds=20))

    class Meta:
        model = Lease


class CarrierLimiterFactory(DjangoModelFactory):
    next_slot_at = factory.LazyFunction(now)

    class Meta:
        model = CarrierLimiter


class CallEventFactory(DjangoModelFactory):
    call = factory.SubFactory(CallFactory)
    workspace = factory.SelfAttribute("call.workspace")
    created_at = factory.LazyFunction(now)

    class Meta:
        model = CallEvent


class DoNotCallEntryFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    phone_number = factory.Sequence(lambda number: f"+1617{5550000 + number}")
    created_at = factory.LazyFunction(now)

    class Meta:
        model = DoNotCallEntry


class ImportFactory(DjangoModelFactory):
    workspace = factory.SubFactory(WorkspaceFactory)
    created_by = factory.SubFactory(UserFactory)
    kind = ImportKind.CONTACTS
    source = ImportSource.CSV
    created_at = updated_at = factory.LazyFunction(now)

    class Meta:
        model = Import


class ImportErrorRowFactory(DjangoModelFactory):
    source = factory.SubFactory(ImportFactory)
    workspace = factory.SelfAttribute("source.workspace")

    class Meta:
        model = ImportErrorRow
