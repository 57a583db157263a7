"""The page that adds a phone number."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from calling.carriers.base import CarrierError
from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.calling.admin.desk import ACCOUNT, TOKEN, Desk, browser, page, refusal, tells
from tests.cast import Person
from workspaces.callers import Role
from workspaces.models import AuditEvent

ADD = "/admin/calling/phonenumber/add/"


def asked(owner: Person, **changes: Any) -> dict[str, Any]:
    return {
        "workspace": owner.workspace.id,
        "number": "+1 212 555 1234",
        "label": "Front desk",
        "carrier": "desk",
        "account_id": ACCOUNT,
        "auth_token": TOKEN,
        "public_key": "",
        **changes,
    }


def test_it_is_verified_stored_and_told_once(leader: Client, owner: Person, desk: Desk) -> None:
    response = leader.post(ADD, asked(owner))

    phone = PhoneNumber.objects.get()
    assert response.status_code == 302
    assert response["Location"] == page(phone)
    assert (phone.number, phone.label, phone.carrier) == ("+12125551234", "Front desk", "desk")
    assert phone.created_by_id == owner.user.id
    assert desk.seen == [(ACCOUNT, TOKEN, "", "+12125551234")]
    account = CarrierAccount.objects.get()
    assert account.credentials == {"accSId": ACCOUNT, "authToken": TOKEN, "publicKey": "found"}
    assert account.calls_per_second == desk.calls_per_second
    event = AuditEvent.objects.get(target_id=phone.id)
    assert (event.action, event.user_id) == ("phonenumber.create", owner.user.id)
    assert not tells(list(AuditEvent.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_the_carrier_is_asked_outside_of_any_transaction(owner: Person, desk: Desk) -> None:
    assert browser(owner).post(ADD, asked(owner)).status_code == 302
    assert desk.in_transaction == [False]


def test_of_somebody_who_is_no_member_it_becomes_the_owners(
    staff: Client, owner: Person, desk: Desk
) -> None:
    factories.MembershipFactory.create(workspace=owner.workspace, role=Role.OWNER)
    assert staff.post(ADD, asked(owner)).status_code == 302
    phone = PhoneNumber.objects.get()
    assert phone.created_by_id == owner.user.id
    event = AuditEvent.objects.get(target_id=phone.id)
    assert event.user_id == staff.session["_auth_user_id"]


def test_a_workspace_without_an_owner_takes_none(staff: Client, desk: Desk) -> None:
    empty = factories.WorkspaceFactory.create()
    given = {"workspace": empty.id, "number": "+12125551234", "carrier": "simulator"}
    response = staff.post(ADD, given)
    assert response.context["form"].errors["workspace"]
    assert not PhoneNumber.objects.exists()


def test_the_simulator_needs_no_credentials(leader: Client, owner: Person) -> None:
    for number in ("+12125551234", "+12125551235"):
        given = {"workspace": owner.workspace.id, "number": number, "carrier": "simulator"}
        assert leader.post(ADD, given).status_code == 302
    assert CarrierAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (refusal(), "auth_token"),
        (refusal("accSId"), "account_id"),
        (refusal("phoneNumber", "number_not_owned"), "number"),
        (refusal("publicKey"), "public_key"),
        (refusal("", ""), "carrier"),
        (CarrierError("The carrier says no.", permanent=False), "__all__"),
    ],
    ids=["token", "account", "number", "key", "elsewhere", "away"],
)
def test_what_the_carrier_refuses_is_told_at_its_field(
    leader: Client,
    owner: Person,
    desk: Desk,
    error: CarrierError,
    field: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk.error = error
    response = leader.post(ADD, asked(owner))

    assert response.status_code == 200
    errors = response.context["form"].errors
    assert "The carrier says no." in errors[field]
    assert any("credentials again" in sentence for sentence in errors["__all__"])
    text = response.content.decode()
    assert 'value="+1 212 555 1234"' in text  # what is no secret is kept
    log = capsys.readouterr()
    assert not tells(text + log.out + log.err)
    assert not PhoneNumber.objects.exists()
    assert not CarrierAccount.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": "none"}, "number"),
        ({"number": ""}, "number"),
        ({"carrier": ""}, "carrier"),
        ({"carrier": "pigeons"}, "carrier"),
        ({"auth_token": ""}, "auth_token"),
        ({"account_id": ""}, "account_id"),
        ({"account_id": "x" * 300}, "account_id"),
        ({"label": "two\nlines"}, "label"),
        ({"workspace": ""}, "workspace"),
        ({"workspace": "nonsense"}, "workspace"),
    ],
)
def test_what_is_wrong_in_the_form_reaches_no_carrier(
    leader: Client, owner: Person, desk: Desk, changes: dict[str, str], field: str
) -> None:
    response = leader.post(ADD, asked(owner, **changes))
    assert response.status_code == 200
    assert response.context["form"].errors[field]
    assert desk.seen == []
    assert not tells(response.content.decode())


def test_a_carrier_that_cannot_reach_us_is_refused_before_it_is_asked(
    leader: Client, owner: Person, desk: Desk, settings: Any
) -> None:
    settings.PUBLIC_BASE_URL = ""
    response = leader.post(ADD, asked(owner))
    assert "PUBLIC_BASE_URL" in str(response.context["form"].errors["carrier"])
    assert desk.seen == []


def test_a_number_is_added_once(leader: Client, owner: Person, desk: Desk) -> None:
    leader.post(ADD, asked(owner))
    response = leader.post(ADD, asked(owner))
    assert response.context["form"].errors["number"]
    assert PhoneNumber.objects.count() == 1


def test_the_form_keeps_secrets_out_of_the_browsers_memory(leader: Client) -> None:
    text = leader.get(ADD).content.decode()
    for name in ("account_id", "auth_token"):
        [field] = [tag for tag in text.split("<") if f'name="{name}"' in tag]
        assert 'type="password"' in field
        assert 'autocomplete="off"' in field


def test_only_who_leads_the_workspace_adds_to_it(
    reader: Client, outsider: Client, owner: Person, desk: Desk
) -> None:
    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, asked(owner)).status_code == 403
    assert owner.workspace.name not in outsider.get(ADD).content.decode()
    response = outsider.post(ADD, asked(owner))
    assert response.context["form"].errors["workspace"]
    assert desk.seen == []
    assert reverse("admin:calling_phonenumber_add") == ADD
