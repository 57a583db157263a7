"""A form writes what it has changed, and nothing that somebody else wrote while it was sent."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batches.services.kill_switches import engage
from calling.models import CarrierAccount
from tests import factories
from tests.cast import Person
from tests.workspaces.test_workspace_admin import form
from workspaces.callers import Actor
from workspaces.models import AuditEvent, User, Workspace

Meanwhile = Callable[[Callable[[], Any]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """What somebody else does between the reading of the row and its saving."""

    def does(act: Callable[[], Any]) -> None:
        save_form = ModelAdmin.save_form

        def and_save(*args: Any, **kwargs: Any) -> Any:
            act()
            return save_form(*args, **kwargs)

        monkeypatch.setattr(ModelAdmin, "save_form", and_save)

    return does


def page(row: Any, verb: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{verb}", args=[row.pk])


def throw(target: Any) -> Any:
    return engage(target=target, reason="Stop.", actor=Actor(), now=timezone.now())


def test_a_workspace_form_leaves_the_kill_switch_and_the_suspension(
    staff: Client, owner: Person, meanwhile: Meanwhile
) -> None:
    def act() -> None:
        throw(Workspace.objects.get(pk=owner.workspace.pk))
        Workspace.objects.filter(pk=owner.workspace.pk).update(is_active=False)

    meanwhile(act)
    fields = form(called_countries="gb, us", calling_hour_start="08:30", calling_hour_end="09:00")
    assert staff.post(page(owner.workspace), fields).status_code == 302
    stored = Workspace.objects.get(pk=owner.workspace.pk)
    assert (stored.is_killed, stored.kill_reason, stored.is_active) == (True, "Stop.", False)
    assert stored.name == "From the back office"
    assert stored.called_countries == ["GB", "US"]
    assert (stored.calling_hour_start, stored.calling_hour_end) == (510, 540)
    assert stored.updated_at > owner.workspace.updated_at


def test_the_audit_of_a_workspace_has_the_values_once(staff: Client, owner: Person) -> None:
    name = owner.workspace.name
    fields = form(name=name, concurrency_limit=7, timezone=owner.workspace.timezone)
    assert staff.post(page(owner.workspace), fields).status_code == 302
    event = AuditEvent.objects.get(action="workspace.update")
    assert event.changes["concurrency_limit"] == 7
    assert "name" not in event.changes
    assert event.workspace_id == owner.workspace.pk


def test_an_account_form_leaves_the_kill_switch_and_the_breaker(
    staff: Client, owner: Person, meanwhile: Meanwhile
) -> None:
    account = factories.CarrierAccountFactory.create(workspace=owner.workspace)
    until = timezone.now()

    def act() -> None:
        throw(CarrierAccount.objects.get(pk=account.pk))
        CarrierAccount.objects.filter(pk=account.pk).update(failures=5, resting_until=until)

    meanwhile(act)
    fields = {"calls_per_second": 3, "concurrency_limit": 4}
    assert staff.post(page(account), fields).status_code == 302
    stored = CarrierAccount.objects.get(pk=account.pk)
    assert (stored.is_killed, stored.failures, stored.resting_until) == (True, 5, until)
    assert (stored.calls_per_second, stored.concurrency_limit) == (3, 4)
    assert stored.updated_at > account.updated_at


def test_a_persons_name_restores_neither_password_nor_rights(
    staff: Client, owner: Person, meanwhile: Meanwhile
) -> None:
    people = User.objects.filter(pk=owner.user.pk)
    meanwhile(lambda: people.update(password="!gone", is_active=False, is_staff=True))
    fields = {"email": "ADA@Example.com", "name": "Ada", "is_active": "on"}
    assert staff.post(page(owner.user), fields).status_code == 302
    stored = people.get()
    assert (stored.password, stored.is_active, stored.is_staff) == ("!gone", False, True)
    assert (stored.name, stored.email.lower()) == ("Ada", "ada@example.com")


def test_a_new_password_restores_no_rights(
    staff: Client, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, set_password = User.objects.filter(pk=owner.user.pk), User.set_password

    def deactivated(user: User, raw: str) -> None:
        people.update(is_active=False)
        set_password(user, raw)

    monkeypatch.setattr(User, "set_password", deactivated)
    words = "quite a long passphrase"
    fields = {"password1": words, "password2": words, "usable_password": "true"}
    url = reverse("admin:auth_user_password_change", args=[owner.user.pk])
    assert staff.post(url, fields).status_code == 302
    stored = people.get()
    assert stored.check_password(words)
    assert not stored.is_active


def test_nobody_deletes_their_own_account(staff: Client, owner: Person) -> None:
    me = User.objects.get(pk=staff.session["_auth_user_id"])
    assert staff.post(page(me, "delete"), {"post": "yes"}).status_code == 403
    url = reverse("admin:workspaces_user_changelist")
    many = {"action": "delete_selected", "_selected_action": [me.pk], "post": "yes"}
    staff.post(url, many)
    assert User.objects.filter(pk=me.pk).exists()
    other = factories.UserFactory.create()
    assert staff.post(page(other, "delete"), {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=other.pk).exists()


def test_signing_in_over_anothers_session_is_recorded(owner: Person, member: Person) -> None:
    ids = [owner.user.pk, member.user.pk]
    User.objects.filter(pk__in=ids).update(is_staff=True)
    browser = Client()
    for one in (owner, member):
        fields = {"username": one.user.email, "password": factories.PASSWORD}
        assert browser.post("/admin/login/", fields).status_code == 302
    events = AuditEvent.objects.filter(action="session.create").order_by("id")
    assert [event.user_id for event in events] == ids
