"""The back office, through its pages: each one opens, writes are audited, keys are shown once."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from batches.models import Call, DoNotCallEntry, Import
from batches.services.callback_archive import keep_callback
from calling.carriers.base import Callback
from calling.models import PhoneNumber
from tests import factories
from tests.cast import Api, Person, person
from workspaces.models import AccessToken, ApiKey, AuditEvent, Membership, User, Workspace

OURS = [
    model
    for model in admin.site._registry
    if model.__module__.split(".")[0] in {"workspaces", "calling", "batches"}
]


def page(model: type[Model], name: str, *args: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def fill(count: int, owner: Person) -> None:
    """So many rows of everything, each with its own workspace and user: the worst for an N+1."""
    for _ in range(count):
        somebody = person()
        account = factories.CarrierAccountFactory.create(workspace=somebody.workspace)
        phone = factories.PhoneNumberFactory.create(workspace=somebody.workspace, account=account)
        batch = factories.CallBatchFactory.create(
            workspace=somebody.workspace, created_by=somebody.user
        )
        factories.BatchNumberFactory.create(batch=batch, phone=phone)
        factories.DoNotCallEntryFactory.create(
            workspace=somebody.workspace, batch=batch, created_by=somebody.user
        )
        attempt = factories.CallAttemptFactory.create(
            call=factories.CallFactory.create(batch=batch)
        )
        callback = Callback(url="https://outdial.example/", headers={}, body=b"CallStatus=busy")
        keep_callback(attempt, carrier="twilio", callback=callback, now=timezone.now())
        factories.ImportFactory.create(workspace=somebody.workspace, created_by=somebody.user)
        endpoint = factories.WebhookEndpointFactory.create(
            workspace=somebody.workspace, created_by=somebody.user
        )
        factories.WebhookDeliveryFactory.create(endpoint=endpoint)
        body = {"batchName": "For the audit", "callingNumbers": [phone.id]}
        assert Api().post("/api/call/createBatch", body, somebody.with_key).status_code == 201


@pytest.mark.parametrize("model", OURS, ids=lambda model: str(model.__name__))
def test_every_list_costs_the_same_for_one_row_and_for_many(
    staff: Client, owner: Person, model: type[Model]
) -> None:
    fill(1, owner)
    with CaptureQueriesContext(connection) as few:
        assert staff.get(page(model, "changelist")).status_code == 200
    fill(4, owner)
    with CaptureQueriesContext(connection) as many:
        assert staff.get(page(model, "changelist")).status_code == 200
    assert len(many) == len(few)


@pytest.mark.parametrize("model", OURS, ids=lambda model: str(model.__name__))
def test_every_row_opens_and_is_found_by_its_id(
    staff: Client, owner: Person, model: type[Model]
) -> None:
    fill(2, owner)
    row = model._default_manager.order_by("pk").first()
    assert row is not None

    assert staff.get(page(model, "change", row.pk)).status_code == 200
    response = staff.get(page(model, "changelist"), {"q": row.pk})
    assert response.status_code == 200
    if model is not AuditEvent:  # there an id means the thing that it happened to
        assert response.context["cl"].result_count == 1
    assert staff.get(page(model, "changelist"), {"q": "text % _"}).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: str(model.__name__))
def test_nobody_but_staff_sees_a_page(owner: Person, model: type[Model]) -> None:
    client = Client()
    client.force_login(owner.user, "django.contrib.auth.backends.ModelBackend")
    assert client.get(page(model, "changelist")).status_code == 302


@pytest.mark.parametrize(
    "model",
    [AccessToken, AuditEvent, Call, DoNotCallEntry, Import],
)
def test_what_the_api_owns_can_only_be_looked_at(
    staff: Client, owner: Person, model: type[Model]
) -> None:
    fill(1, owner)
    row = model._default_manager.order_by("pk").first()
    assert row is not None

    assert staff.get(page(model, "add")).status_code == 403
    assert staff.post(page(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert staff.get(page(model, "delete", row.pk)).status_code == 403


def test_a_new_key_is_shown_once_and_works(
    staff: Client, api: Api, owner: Person, phone: PhoneNumber
) -> None:
    response = staff.post(
        page(ApiKey, "add"),
        {
            "workspace": owner.workspace.id,
            "created_by": owner.user.id,
            "name": "From the back office",
            "scopes": "calling:manage",
            "expires": "never",
        },
    )

    key = re.search(r"odk_live_\w+", response.content.decode())
    assert key is not None
    assert "no-store" in response["Cache-Control"]
    body = {"batchName": "With the new key", "callingNumbers": [phone.id]}
    assert api.post("/api/call/createBatch", body, {"x-api-key": key[0]}).status_code == 201
    row = ApiKey.objects.get(name="From the back office")
    for url in (page(ApiKey, "changelist"), page(ApiKey, "change", row.id)):
        assert key[0] not in staff.get(url).content.decode()
    assert AuditEvent.objects.filter(action="apikey.create", target_id=row.id).count() == 1


def test_a_key_for_a_user_of_another_workspace_is_refused(
    staff: Client, owner: Person, stranger: Person
) -> None:
    before = ApiKey.objects.count()
    response = staff.post(
        page(ApiKey, "add"),
        {
            "workspace": owner.workspace.id,
            "created_by": stranger.user.id,
            "name": "Wrong",
            "scopes": "calling:manage",
            "expires": "never",
        },
    )
    assert "A key acts as a member of its workspace." in response.content.decode()
    assert ApiKey.objects.count() == before


@pytest.mark.parametrize(
    ("model", "credential"), [(ApiKey, "with_key"), (AccessToken, "with_token")]
)
def test_revoking_ends_a_credential_at_once(
    staff: Client, api: Api, owner: Person, model: type[Any], credential: str
) -> None:
    rows = list(model.objects.values_list("id", flat=True))
    assert api.get("/api/auth/me", getattr(owner, credential)).status_code == 200

    action = {"action": "revoke_selected", "_selected_action": rows, "confirmed": "yes"}
    for _ in range(2):  # again it changes nothing
        assert staff.post(page(model, "changelist"), action).status_code == 302

    assert api.get("/api/auth/me", getattr(owner, credential)).status_code == 401
    events = AuditEvent.objects.filter(action=f"{model._meta.model_name}.revoke")
    assert events.count() == len(rows)


def test_a_new_user_can_be_made_a_member_and_log_in(staff: Client, api: Api, owner: Person) -> None:
    password = "quite a long passphrase"
    new = {
        "email": "New.Person@Example.com",
        "name": "New",
        "usable_password": "true",
        "password1": password,
        "password2": password,
    }
    assert staff.post(page(User, "add"), new).status_code == 302
    user = User.objects.get(email="new.person@example.com")
    member = {"workspace": owner.workspace.id, "email": user.email, "role": "member"}
    assert staff.post(page(Membership, "add"), member).status_code == 302

    login = {"email": "new.person@example.com", "password": password}
    assert api.post("/api/auth/login", login).status_code == 200


def test_removing_a_member_ends_their_credentials_for_good(
    staff: Client, api: Api, owner: Person, member: Person
) -> None:
    membership = Membership.objects.get(user=member.user)
    staff.post(page(Membership, "remove", membership.id))
    factories.MembershipFactory.create(user=member.user, workspace=owner.workspace)

    assert api.get("/api/auth/me", member.with_key).status_code == 401
    assert api.get("/api/auth/me", member.with_token).status_code == 401


def test_every_write_leaves_an_audit_event_with_its_workspace(
    staff: Client, owner: Person, phone: PhoneNumber
) -> None:
    edited = {"label": "Front desk", "is_active": "on", "concurrency_limit": 0, "daily_cap": 0}
    assert staff.post(page(PhoneNumber, "change", phone.id), edited).status_code == 302
    new = {
        "workspace": owner.workspace.id,
        "number": "+12125559999",
        "carrier": "simulator",
        "is_active": "on",
    }
    assert staff.post(page(PhoneNumber, "add"), new).status_code == 302
    suspended = {
        "name": "Renamed",
        "timezone": "UTC",
        "allowed_days": ["1"],
        "concurrency_limit": 0,
        "contact_daily_cap": 0,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert staff.post(page(Workspace, "change", owner.workspace.id), suspended).status_code == 302

    events = AuditEvent.objects.filter(credential_kind="session").order_by("created_at", "id")
    assert list(events.values_list("action", "workspace_id")) == [
        ("phonenumber.update", owner.workspace.id),
        ("phonenumber.create", owner.workspace.id),
        ("workspace.update", owner.workspace.id),
    ]
    assert {event.ip for event in events} == {"127.0.0.1"}
    assert {event.user_id for event in events} == {staff.session["_auth_user_id"]}


def test_a_number_that_is_no_number_is_refused(staff: Client, owner: Person) -> None:
    new = {"workspace": owner.workspace.id, "number": "Front desk", "carrier": "simulator"}
    response = staff.post(page(PhoneNumber, "add"), new)
    assert response.status_code == 200
    assert not PhoneNumber.objects.exists()
