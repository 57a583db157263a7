"""The back office shows one world at a time: live workspaces, or their sandboxes."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from calling.models import CarrierAccount, PhoneNumber
from tests import factories
from tests.cast import Person, in_sandbox, person
from tests.suites import slow_but_the_first
from tests.test_every_admin_url import (
    LISTS,
    OF_ROWS,
    OURS,
    WITHOUT_ROWS,
    assert_refused,
    belongings,
    rows_of,
    signed_in,
    text_of,
)
from workspaces.back_office.worlds import HEADER
from workspaces.models import ApiKey, AuditEvent, Membership, User, Workspace

WORLD = "/admin/workspaces/workspace/world/"
ADD_WORKSPACE = "/admin/workspaces/workspace/add/"
NO_WORLD = (User, Membership)  # people, who are the same in both


def enter(client: Client, world: str) -> Any:
    return client.post(WORLD, {"world": world}, follow=True)


def ids_of(who: Person) -> set[str]:
    models = (model for model in OURS.values() if model not in NO_WORLD)
    return {row.pk for model in models for row in rows_of(who, model)} - {who.user.pk}


@pytest.fixture
def inside(owner: Person) -> Person:
    inside = in_sandbox(owner)
    for who in (owner, inside):
        belongings(who)
    return inside


def test_the_switch_is_a_post_and_every_page_says_where_one_is(
    owner: Person, inside: Person
) -> None:
    client = signed_in(owner)
    assert client.get(WORLD).status_code == 405
    live = text_of(client.get("/admin/"))
    assert '<section class="od-sandbox"' not in live
    assert 'value="live" aria-pressed="true"' in live

    response = enter(client, "sandbox")
    assert response.redirect_chain == [(reverse("admin:index"), 302)]
    addresses = [reverse(f"admin:{one.name}") for one in LISTS if one.model is not Membership]
    for address in ("/admin/", *addresses):
        text = text_of(client.get(address))
        assert '<section class="od-sandbox"' in text, address
        assert "<title>[Sandbox]" in text, address
        assert 'value="sandbox" aria-pressed="true"' in text, address
    assert '<section class="od-sandbox"' not in text_of(enter(client, "elsewhere"))


@pytest.mark.parametrize(
    ("world", "is_superuser"),
    slow_but_the_first([("sandbox", True), ("sandbox", False), ("live", True), ("live", False)]),
)
def test_every_page_shows_one_world(
    owner: Person, inside: Person, world: str, is_superuser: bool
) -> None:
    User.objects.filter(pk=owner.user.pk).update(is_superuser=is_superuser)
    client = signed_in(owner)
    enter(client, world)
    here, there = (inside, owner) if world == "sandbox" else (owner, inside)
    others = {*ids_of(there), there.workspace.name}
    for address in WITHOUT_ROWS:
        text = text_of(client.get(reverse(f"admin:{address.name}")))
        assert not [mark for mark in others if mark in text], address
    for address in LISTS:
        if address.model is None or address.model in NO_WORLD:
            continue
        page = reverse(f"admin:{address.name}")
        shown = set(client.get(page).context["cl"].queryset.values_list("pk", flat=True))
        assert {row.pk for row in rows_of(here, address.model)} <= shown, address
        assert not shown & others, address
        for guess in ({"workspace__id__exact": there.workspace.pk}, {"q": there.workspace.name}):
            found = client.get(page, guess, follow=True).context["cl"].queryset
            assert not {row.pk for row in found} & others, address


@pytest.mark.parametrize("world", ["live", "sandbox"])
def test_a_row_of_the_other_world_is_not_there(owner: Person, inside: Person, world: str) -> None:
    """For a superuser, who sees all workspaces otherwise."""
    User.objects.filter(pk=owner.user.pk).update(is_superuser=True)
    client = signed_in(owner)
    enter(client, world)
    there = owner if world == "sandbox" else inside
    walked = 0
    for address in OF_ROWS:
        if address.model is None or address.model in NO_WORLD:
            continue
        for row in rows_of(there, address.model)[:1]:
            assert_refused(client.get(address.of(row)), address)
            walked += 1
    assert walked > len(LISTS)


def test_the_figures_of_the_front_page_are_of_one_world(owner: Person, inside: Person) -> None:
    call = factories.CallFactory.create(batch__workspace=inside.workspace)
    factories.CallAttemptFactory.create_batch(3, call=call)
    client = signed_in(person())
    User.objects.filter(is_staff=True).update(is_superuser=True)
    assert client.get("/admin/").context["placed"] == 1
    assert enter(client, "sandbox").context["placed"] == 4


def test_a_page_that_was_left_open_in_the_other_world_is_loaded_anew(
    owner: Person, inside: Person
) -> None:
    client = signed_in(owner)
    polled = text_of(client.get("/admin/", {"live": ""}))
    assert f"""hx-headers='{{"{HEADER}": "live"}}'""" in polled

    def poll() -> Any:
        return client.get("/admin/", {"live": ""}, headers={HEADER: "live", "HX-Request": "true"})

    assert "HX-Refresh" not in poll()
    enter(client, "sandbox")
    stale = poll()
    assert (stale["HX-Refresh"], stale.content) == ("true", b"")


def test_a_sandbox_is_neither_added_nor_renamed_nor_has_members_of_its_own(
    owner: Person, inside: Person
) -> None:
    User.objects.filter(pk=owner.user.pk).update(is_superuser=True)
    client = signed_in(owner)
    assert client.get(ADD_WORKSPACE).status_code == 200
    enter(client, "sandbox")
    assert client.get(ADD_WORKSPACE).status_code == 403
    assert client.get("/admin/workspaces/membership/").status_code == 403
    assert client.get("/admin/workspaces/membership/add/").status_code == 403

    page = f"/admin/workspaces/workspace/{inside.workspace.pk}/change/"
    text = text_of(client.get(page))
    assert f"The sandbox of {owner.workspace}" in text
    assert "/admin/workspaces/membership/" not in text
    changed = {
        "name": "Mine",
        "is_active": "",
        "timezone": "Asia/Tokyo",
        "allowed_days": ["1"],
        "concurrency_limit": 0,
        "contact_daily_cap": 0,
    }
    assert client.post(page, changed).status_code == 302
    stored = Workspace.objects.get(pk=inside.workspace.pk)
    assert (stored.name, stored.is_active) == (inside.workspace.name, True)
    assert stored.timezone == "Asia/Tokyo"

    Workspace.objects.filter(pk=owner.workspace.pk).update(is_active=False)
    assert "suspended" in text_of(client.get("/admin/workspaces/workspace/"))
    assert "It is suspended now." in text_of(client.get(page))


def test_a_new_workspace_has_a_furnished_sandbox(staff: Client) -> None:
    new = {
        "name": "Acme",
        "is_active": "on",
        "timezone": "UTC",
        "allowed_days": ["1", "2"],
        "concurrency_limit": 0,
        "contact_daily_cap": 0,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert staff.post(ADD_WORKSPACE, new).status_code == 302
    live = Workspace.objects.get(name="Acme")
    sandbox = Workspace.objects.get(sandbox_of=live)
    assert PhoneNumber.objects.for_workspace(sandbox.id).count() == 2
    events = AuditEvent.objects.filter(action="workspace.create")
    assert {event.workspace_id for event in events} == {live.id, sandbox.id}
    assert {event.user_id for event in events} == {staff.session["_auth_user_id"]}


def test_keys_and_numbers_made_in_the_sandbox_are_the_sandboxes(
    owner: Person, inside: Person
) -> None:
    client = signed_in(owner)
    enter(client, "sandbox")
    key = {
        "workspace": inside.workspace.pk,
        "name": "Trying",
        "scopes": "calling:manage",
        "expires": "never",
    }
    assert "odk_test_" in text_of(client.post("/admin/workspaces/apikey/add/", key))
    assert ApiKey.objects.get(name="Trying").workspace_id == inside.workspace.pk
    key |= {"workspace": owner.workspace.pk, "name": "Live"}
    assert "odk_" not in text_of(client.post("/admin/workspaces/apikey/add/", key))
    assert not ApiKey.objects.filter(name="Live").exists()

    page = "/admin/calling/phonenumber/add/"
    number = {"workspace": inside.workspace.pk, "number": "+1 212 555 0199"}
    real = {**number, "carrier": "twilio", "account_id": "AC", "auth_token": "token"}
    assert "is not one of the available choices" in text_of(client.post(page, real))
    assert client.post(page, {**number, "carrier": "simulator"}).status_code == 302
    phone = PhoneNumber.objects.get(number="+12125550199")
    assert (phone.workspace_id, phone.created_by_id) == (inside.workspace.pk, owner.user.pk)
    account = CarrierAccount.objects.get(pk=phone.account_id)
    assert account.credentials["accSId"] == inside.workspace.pk


def test_a_member_reads_the_sandbox_too_and_changes_nothing(owner: Person, inside: Person) -> None:
    reader = person(owner.workspace, "member")  # type: ignore[arg-type]
    client = signed_in(reader)
    enter(client, "sandbox")
    phone = PhoneNumber.objects.for_workspace(inside.workspace.id)[0]
    page = f"/admin/calling/phonenumber/{phone.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {"label": "Mine"}).status_code == 403
    stranger = signed_in(person())
    enter(stranger, "sandbox")
    assert_refused(stranger.get(page), OF_ROWS[0])
