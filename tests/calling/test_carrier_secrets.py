"""What opens a carrier account comes in by add-phone, and never goes out again."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from calling.carriers.base import Credentials
from calling.carriers.registry import CARRIERS
from calling.models import CarrierAccount
from tests.cast import Api, Person
from tests.envelope import checked
from workspaces.models import AuditEvent

ADD = "/api/call/add-phone"
TOKEN, ACCOUNT = "token-9f8e7d6c", "AC-1a2b3c4d"
Captured = pytest.CaptureFixture[str]


def add(api: Api, owner: Person, **changes: Any) -> Any:
    request = {
        "userId": owner.user.id,
        "phoneNumber": "12125551234",
        "integration": "simulator",
        "authToken": TOKEN,
        "accSId": ACCOUNT,
        **changes,
    }
    return api.post(ADD, request, owner.with_token)


def tells(text: Any) -> bool:
    return TOKEN in str(text) or ACCOUNT in str(text)


def test_no_answer_has_them(api: Api, owner: Person) -> None:
    phone_id = checked(add(api, owner), 201)["data"]["_id"]
    update = f"/api/call/update-phone/{phone_id}"
    answers = [
        add(api, owner, phoneNumber="12125559999"),
        add(api, owner),
        add(api, owner, phoneNumber="none"),
        add(api, owner, integration="twilio"),
        add(api, owner, authToken=TOKEN * 20, accSId=ACCOUNT * 20),
        add(api, owner, authToken=[TOKEN], accSId={"sid": ACCOUNT}),
        api.get("/api/call/phones", owner.with_token),
        api.request("PATCH", update, {"label": "x"}, owner.with_token),
        api.request("PATCH", update, {"authToken": TOKEN, "accSId": ACCOUNT}, owner.with_token),
    ]
    assert [answer.status_code for answer in answers] == [201, *[400] * 5, 200, 200, 400]
    assert not any(tells(answer.content.decode()) for answer in answers)


def test_no_log_and_no_audit_event_has_them(api: Api, owner: Person, capsys: Captured) -> None:
    checked(add(api, owner), 201)
    add(api, owner)
    add(api, owner, authToken="refused")
    captured = capsys.readouterr()
    assert '"status":201' in captured.out
    assert not tells(captured.out + captured.err)
    assert not tells(list(AuditEvent.objects.values()))


class Careless:
    """An adapter whose accident quotes what it was given."""

    title, calls_per_second, asks_back = "Careless", 0, False

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        try:
            raise KeyError(credentials.account_id)
        except KeyError as error:
            raise ValueError(f"https://{credentials.auth_token}@carrier.example") from error


def test_an_accident_inside_a_carrier_logs_where_and_not_what(
    api: Api, owner: Person, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CARRIERS, "simulator", Careless())
    response = add(api, owner)
    checked(response, 500)
    log = capsys.readouterr().out
    assert "ValueError in the carrier simulator" in log
    assert "test_carrier_secrets.py" in log  # the frames are there
    assert not tells(log)
    assert not tells(response.content)


def test_no_repr_and_no_dump_has_them(api: Api, owner: Person) -> None:
    checked(add(api, owner), 201)
    account = CarrierAccount.objects.get()
    assert account.credentials == {"accSId": ACCOUNT, "authToken": TOKEN}
    assert not tells((repr(account), str(account)))
    dump = io.StringIO()
    call_command("dumpdata", "calling", stdout=dump)
    assert account.id in dump.getvalue()
    assert not tells(dump.getvalue())


def test_what_is_stored_does_not_contain_them(api: Api, owner: Person) -> None:
    checked(add(api, owner), 201)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account::text, digest, credentials FROM calling_carrieraccount account"
        )
        [(text, digest, credentials)] = cursor.fetchall()
    assert not tells(text)
    for stored in (digest, credentials):
        assert TOKEN.encode() not in stored
        assert ACCOUNT.encode() not in stored


def test_the_back_office_neither_shows_nor_opens_them(
    api: Api, owner: Person, staff: Client, settings: Settings
) -> None:
    checked(add(api, owner), 201)
    account = CarrierAccount.objects.get()
    settings.ENCRYPTION_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]  # opens nothing
    for url in (
        reverse("admin:calling_carrieraccount_changelist"),
        reverse("admin:calling_carrieraccount_change", args=[account.id]),
    ):
        response = staff.get(url)
        assert response.status_code == 200
        assert not tells(response.content.decode())
