"""Making and changing a batch in the back office, under the rules of the API."""

from typing import Any

import pytest
from django.test import Client

from batches.models import CallBatch
from calling.models import PhoneNumber
from tests import factories
from tests.batches.admin.batches import audited, batch_of, html_of, page, words_of
from tests.batches.admin.browsers import browser
from tests.cast import Person
from workspaces.callers import Role
from workspaces.models import AuditEvent, Workspace


@pytest.fixture
def leader(owner: Person) -> Client:
    return browser(owner)


def filled(*phones: PhoneNumber, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Spring campaign",
        "numbers": [phone.id for phone in phones],
        "retry": "3",
        "delay": "60",
        "timezone": "America/New_York",
        "opens": "09:00",
        "closes": "17:00",
        "days": ["1", "2", "3", "4", "5"],
        "enable_dnc": "on",
        "batch_type": "outbound",
        **changes,
    }


def as_filled(batch: CallBatch, **changes: Any) -> dict[str, Any]:
    """What the browser sends of an unchanged form."""
    return filled(
        **{
            "name": batch.name,
            "numbers": list(batch.rotation.values_list("phone_id", flat=True)),
            "retry": batch.retry,
            "delay": batch.delay,
            "timezone": batch.timezone,
            "opens": "",
            "closes": "",
            "days": [str(day) for day in batch.allowed_days],
            **changes,
        }
    )


# --- Create ---------------------------------------------------------------------------------------


def test_who_leads_one_workspace_makes_a_batch_there_at_once(
    leader: Client, owner: Person, phone: PhoneNumber
) -> None:
    assert f"A new batch in {owner.workspace.name}" in html_of(leader, page("add"))

    response = leader.post(page("add"), filled(phone))

    batch = CallBatch.objects.get()
    assert response["Location"] == page("change", batch.id)
    assert (batch.name, batch.retry, batch.delay) == ("Spring campaign", 3, 60)
    assert (batch.calling_hour_start, batch.calling_hour_end) == (540, 1020)
    assert batch.allowed_days == [1, 2, 3, 4, 5]
    assert batch.enable_dnc
    assert (batch.workspace_id, batch.created_by_id) == (owner.workspace.id, owner.user.id)
    assert [row.phone_id for row in batch.rotation.all()] == [phone.id]
    assert audited(batch) == ["batch.create"]


def test_who_leads_several_is_asked_first(
    leader: Client, owner: Person, phone: PhoneNumber
) -> None:
    other = factories.MembershipFactory.create(user=owner.user).workspace
    read_only = factories.MembershipFactory.create(user=owner.user, role=Role.MEMBER).workspace
    html = html_of(leader, page("add"))
    assert "In which workspace?" in html
    assert other.name in html
    assert read_only.name not in html

    address = f"{page('add')}?workspace={owner.workspace.id}"
    assert phone.number in html_of(leader, address)
    assert leader.post(address, filled(phone)).status_code == 302
    assert CallBatch.objects.get().workspace_id == owner.workspace.id


def test_without_a_workspace_to_lead_there_is_no_form(
    owner: Person, member: Person, stranger: Person
) -> None:
    assert browser(member).get(page("add")).status_code == 403
    assert browser(member).post(page("add"), filled()).status_code == 403
    address = f"{page('add')}?workspace={owner.workspace.id}"
    assert browser(stranger).get(address).status_code == 404
    assert browser(stranger).post(address, filled()).status_code == 404
    assert not CallBatch.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "   "}, "This field is required."),
        ({"name": "two\nlines"}, "Must not contain control characters."),
        ({"numbers": []}, "Choose at least one number."),
        ({"retry": "11"}, "Ensure this value is less than or equal to 10."),
        ({"retry": "many"}, "Enter a whole number."),
        ({"delay": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"timezone": "Mars/Phobos"}, "Select a valid choice."),
        ({"opens": "9 am"}, "Must be a time as HH:MM, 24-hour."),
        ({"closes": ""}, "This field may not be blank."),
        ({"closes": "08:00"}, "Must be later than start."),
        ({"days": []}, "Choose at least one day."),
        ({"days": ["8"]}, "Select a valid choice."),
        ({"batch_type": "inbound"}, "Select a valid choice."),
    ],
)
def test_what_the_api_refuses_is_told_at_its_field_and_nothing_is_lost(
    leader: Client, phone: PhoneNumber, changes: dict[str, Any], sentence: str
) -> None:
    response = leader.post(page("add"), filled(phone, **{"delay": "77", **changes}))
    assert response.status_code == 200
    html = response.content.decode()
    assert sentence in html
    assert 'value="77"' in html or "delay" in changes
    assert not CallBatch.objects.exists()


def test_a_number_of_another_workspace_or_an_inactive_one_is_no_choice(
    leader: Client, owner: Person, stranger: Person, phone: PhoneNumber
) -> None:
    foreign = factories.PhoneNumberFactory.create(workspace=stranger.workspace)
    resting = factories.PhoneNumberFactory.create(workspace=owner.workspace, is_active=False)
    html = html_of(leader, page("add"))
    for number in (foreign, resting):
        assert number.number not in html
        response = leader.post(page("add"), filled(phone, number))
        assert "Select a valid choice." in response.content.decode()
    assert not CallBatch.objects.exists()


def test_empty_hours_are_all_day(leader: Client, phone: PhoneNumber) -> None:
    leader.post(page("add"), filled(phone, opens="", closes=""))
    assert CallBatch.objects.get().calling_hour_start is None


def test_a_workspace_without_a_number_says_what_to_do(leader: Client) -> None:
    assert "has no active phone number" in html_of(leader, page("add"))


def test_the_hours_of_the_workspace_are_told(
    leader: Client, owner: Person, phone: PhoneNumber
) -> None:
    Workspace.objects.filter(id=owner.workspace.id).update(
        calling_hour_start=480, calling_hour_end=1200
    )
    html = words_of(html_of(leader, page("add")))
    assert "The workspace allows calls every day 08:00–20:00" in html


# --- Edit -----------------------------------------------------------------------------------------


def test_only_what_was_changed_is_set_and_audited(leader: Client, owner: Person) -> None:
    batch = batch_of(owner, "active", pending=1)
    sent = as_filled(batch, retry="5", enable_dnc="")
    response = leader.post(page("edit", batch.id), sent)
    assert response["Location"] == page("change", batch.id)
    batch.refresh_from_db()
    assert (batch.retry, batch.enable_dnc) == (5, False)
    event = AuditEvent.objects.get(target_id=batch.id)
    assert event.action == "batch.update"
    assert event.changes == {"retry": 5, "enable_dnc": False}


def test_an_unchanged_form_changes_nothing(leader: Client, owner: Person) -> None:
    batch = batch_of(owner)
    response = leader.post(page("edit", batch.id), as_filled(batch), follow=True)
    assert "Nothing was changed." in response.content.decode()
    assert audited(batch) == []


def test_hours_can_be_set_and_taken_away_again(leader: Client, owner: Person) -> None:
    batch = batch_of(owner)
    leader.post(page("edit", batch.id), as_filled(batch, opens="09:00", closes="17:00"))
    assert 'value="09:00"' in html_of(leader, page("edit", batch.id))
    leader.post(page("edit", batch.id), as_filled(batch))
    batch.refresh_from_db()
    assert (batch.calling_hour_start, batch.calling_hour_end) == (0, 1440)
    assert "at any time" in words_of(html_of(leader, page("changelist")))


def test_the_rotation_keeps_its_order_and_new_numbers_come_last(
    leader: Client, owner: Person
) -> None:
    batch = batch_of(owner)
    first = batch.rotation.get().phone
    # Its digits would come first.
    second = factories.PhoneNumberFactory.create(workspace=owner.workspace, number="+12120000001")
    leader.post(page("edit", batch.id), as_filled(batch, numbers=[second.id, first.id]))
    assert list(batch.rotation.order_by("position").values_list("phone_id", flat=True)) == [
        second.id,
        first.id,
    ]
    html = html_of(leader, page("edit", batch.id))
    assert html.index(second.number) < html.index(first.number)


def test_a_number_that_rests_does_not_keep_the_rest_from_being_changed(
    leader: Client, owner: Person
) -> None:
    batch = batch_of(owner)
    batch.rotation.get().phone.__class__.objects.update(is_active=False)
    assert "not active" in html_of(leader, page("edit", batch.id))
    leader.post(page("edit", batch.id), as_filled(batch, name="Renamed"))
    batch.refresh_from_db()
    assert batch.name == "Renamed"


@pytest.mark.parametrize(("who", "code"), [("member", 403), ("stranger", 404)])
def test_others_do_not_edit(
    request: pytest.FixtureRequest, owner: Person, who: str, code: int
) -> None:
    batch = batch_of(owner)
    client = browser(request.getfixturevalue(who))
    sent = as_filled(batch, name="Taken over")
    assert client.post(page("edit", batch.id), sent).status_code == code
    batch.refresh_from_db()
    assert batch.name != "Taken over"


def test_the_page_itself_saves_nothing(leader: Client, owner: Person) -> None:
    batch = batch_of(owner)
    assert leader.post(page("change", batch.id), {"name": "x"}).status_code == 403
