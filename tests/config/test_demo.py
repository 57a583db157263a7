"""seed_demo: two workspaces with credentials that work, kept when it runs again."""

import json
import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from batches.models import BatchNumber, CallBatch
from calling.models import Agent, CarrierAccount, PhoneNumber
from config.demo import WORKSPACES
from tests import factories
from tests.cast import Api
from tests.envelope import checked
from workspaces.credentials import CredentialPrefix, public_id_of
from workspaces.models import AccessToken, ApiKey, Membership, User, Workspace

Demo = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "not there yet"
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setenv("PORT", "8123")
    return folder / "demo.json"


def seed(path: Path) -> Demo:
    call_command("seed_demo", stdout=StringIO())
    demo: Demo = json.loads(path.read_text())
    return demo


LIVE = Workspace.objects.filter(sandbox_of=None)


def counts() -> list[int]:
    models = (User, Workspace, Membership, ApiKey, AccessToken, PhoneNumber, Agent)
    return [model._default_manager.count() for model in models]


def test_the_file_has_its_shape(db: None, path: Path) -> None:
    demo = seed(path)
    assert list(demo) == ["baseUrl", "admin", "workspaces"]
    assert demo["baseUrl"] == "http://127.0.0.1:8123"
    assert list(demo["admin"]) == ["url", "email", "password"]
    assert demo["admin"]["url"] == "http://127.0.0.1:8123/admin/"
    assert [entry["name"] for entry in demo["workspaces"]] == [one.name for one in WORKSPACES]
    for entry in demo["workspaces"]:
        assert list(entry) == [
            *("name", "workspaceId", "userId", "email", "password"),
            *("apiKey", "readOnlyApiKey", "testApiKey", "bearerToken"),
            *("agentId", "phoneIds", "inactivePhoneId", "batchId"),
        ]
        assert len(entry["phoneIds"]) == 2
    assert counts() == [3, 4, 2, 6, 2, 10, 4]  # with the sandboxes


def test_the_test_key_opens_the_sandbox_of_its_workspace(api: Api, db: None, path: Path) -> None:
    for entry in seed(path)["workspaces"]:
        headers = {"x-api-key": entry["testApiKey"]}
        workspace = checked(api.get("/api/workspace", headers), 200)["data"]
        assert (workspace["name"], workspace["environment"]) == (
            f"{entry['name']} (sandbox)",
            "test",
        )
        phones = checked(api.get("/api/call/phones", headers), 200)["data"]["phones"]
        assert len(phones) == 2
        assert not {one["_id"] for one in phones} & set(entry["phoneIds"])


def test_one_agent_stands_behind_all_numbers_of_a_workspace(api: Api, db: None, path: Path) -> None:
    for entry, language in zip(seed(path)["workspaces"], ["en-US", "en-GB"], strict=True):
        headers = {"x-api-key": entry["readOnlyApiKey"]}
        agent = checked(api.get(f"/api/agents/{entry['agentId']}", headers), 200)["data"]
        assert agent["language"] == language
        assert agent["variables"] == [
            {"key": key, "type": "string", "required": True} for key in ("name", "account_id")
        ]
        assert agent["connection"]["type"] == "message"
        assert agent["connection"]["message"].startswith(f"Hello {{name}}, this is {entry['name']}")
        phones = checked(api.get("/api/call/phones", headers), 200)["data"]["phones"]
        assert {phone["agentId"] for phone in phones} == {entry["agentId"]}
        assert {phone["_id"] for phone in phones} == {
            *(*entry["phoneIds"], entry["inactivePhoneId"]),
        }


def test_numbers_that_were_seeded_without_an_agent_get_it(db: None, path: Path) -> None:
    first = seed(path)
    PhoneNumber.objects.update(agent=None)
    Agent.objects.all().delete()
    second = seed(path)
    for old, new in zip(first["workspaces"], second["workspaces"], strict=True):
        assert old.pop("agentId") != new["agentId"]
        numbers = PhoneNumber.objects.filter(workspace_id=new["workspaceId"])
        assert set(numbers.values_list("agent_id", flat=True)) == {new.pop("agentId")}
        assert old == new


def test_what_was_made_of_the_agent_since_stays(db: None, path: Path) -> None:
    entry = seed(path)["workspaces"][0]
    Agent.objects.filter(id=entry["agentId"]).update(name="Ours now", language="es")
    other = factories.AgentFactory.create(workspace_id=entry["workspaceId"])
    PhoneNumber.objects.filter(id=entry["phoneIds"][0]).update(agent=other)
    assert seed(path)["workspaces"][0] == entry
    assert Agent.objects.get(id=entry["agentId"]).name == "Ours now"
    assert PhoneNumber.objects.get(id=entry["phoneIds"][0]).agent_id == other.id
    assert counts()[-1] == 5


def test_each_workspace_has_a_draft_to_try_the_examples_on(db: None, path: Path) -> None:
    for entry in seed(path)["workspaces"]:
        batch = CallBatch.objects.get(workspace_id=entry["workspaceId"])
        assert (batch.id, batch.status) == (entry["batchId"], "draft")
    entry = seed(path)["workspaces"][0]
    CallBatch.objects.filter(id=entry["batchId"]).update(deleted_at=timezone.now())
    assert seed(path)["workspaces"][0]["batchId"] != entry["batchId"]


def limits() -> tuple[set[int], set[int]]:
    """Calls at a time of the live workspaces, calls a second of their accounts."""
    accounts = CarrierAccount.objects.filter(workspace__sandbox_of=None)
    return (
        set(LIVE.all().values_list("concurrency_limit", flat=True)),
        set(accounts.values_list("calls_per_second", flat=True)),
    )


def test_each_workspace_has_one_account_and_limits_and_no_calling_window(
    db: None, path: Path
) -> None:
    for entry in seed(path)["workspaces"]:
        account = CarrierAccount.objects.get(workspace_id=entry["workspaceId"])
        numbers = PhoneNumber.objects.filter(workspace_id=entry["workspaceId"])
        assert set(numbers.values_list("account", flat=True)) == {account.id}
        assert account.credentials["accSId"] == "demo"
    assert limits() == ({50}, {50})
    assert not any(workspace.has_calling_window for workspace in Workspace.objects.all())


def test_what_was_seeded_before_there_were_accounts_gets_them_with_their_limits(
    db: None, path: Path
) -> None:
    first = seed(path)
    PhoneNumber.objects.filter(workspace__sandbox_of=None).update(account=None)
    CarrierAccount.objects.filter(workspace__sandbox_of=None).delete()
    LIVE.update(concurrency_limit=0)
    assert seed(path) == first
    assert limits() == ({50}, {50})
    assert CarrierAccount.objects.count() == 4
    assert not PhoneNumber.objects.filter(account=None).exists()


@pytest.mark.parametrize("limit", [0, 7])
def test_limits_that_were_changed_since_stay(db: None, path: Path, limit: int) -> None:
    seed(path)
    Workspace.objects.update(concurrency_limit=limit)
    CarrierAccount.objects.update(calls_per_second=limit)
    before = list(CarrierAccount.objects.order_by("id").values())
    numbers = PhoneNumber.objects.filter(number__in=[one.numbers[0] for one in WORKSPACES])
    BatchNumber.objects.filter(phone__in=numbers).delete()
    numbers.delete()
    seed(path)
    assert limits() == ({limit}, {limit})
    assert list(CarrierAccount.objects.order_by("id").values()) == before


def test_only_its_owner_may_read_the_file(db: None, path: Path) -> None:
    seed(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    seed(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["demo.json"]


def test_every_credential_works_and_for_its_own_workspace_only(
    api: Api, db: None, path: Path
) -> None:
    demo = seed(path)
    for entry, other in (demo["workspaces"], demo["workspaces"][::-1]):
        key, bearer = (
            {"x-api-key": entry["apiKey"]},
            {"Authorization": f"Bearer {entry['bearerToken']}"},
        )
        for headers in (key, bearer):
            me = checked(api.get("/api/auth/me", headers), 200)["data"]
            assert me["workspace"]["_id"] == entry["workspaceId"]
            assert me["user"]["_id"] == entry["userId"]
            codes = [
                create(api, headers, phone_id).status_code
                for phone_id in (*entry["phoneIds"], entry["inactivePhoneId"], *other["phoneIds"])
            ]
            assert codes == [201, 201, 400, 400, 400]
        read_only = {"x-api-key": entry["readOnlyApiKey"]}
        checked(create(api, read_only, entry["phoneIds"][0]), 403)
        listed = api.get(f"/api/call/batches/{entry['userId']}", read_only)
        assert checked(listed, 200)["data"]["pagination"]["total"] == 5  # one was there
        credentials = {"email": entry["email"], "password": entry["password"]}
        checked(api.post("/api/auth/login", credentials), 200)


def create(api: Api, headers: dict[str, str], phone_id: str) -> Any:
    body = {"batchName": "Demo", "callingNumbers": [phone_id]}
    return api.post("/api/call/createBatch", body, headers)


def test_the_admin_can_sign_in_to_the_back_office(db: None, path: Path) -> None:
    admin = seed(path)["admin"]
    form = {"username": admin["email"], "password": admin["password"]}
    response = Client().post("/admin/login/?next=/admin/", form)
    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_owners_can_sign_in_too_and_see_their_own(db: None, path: Path) -> None:
    ours, others = seed(path)["workspaces"]
    client = Client()
    form = {"username": ours["email"], "password": ours["password"]}
    client.post("/admin/login/?next=/admin/", form)
    numbers = client.get("/admin/calling/phonenumber/").content.decode()
    assert "+12125550100" in numbers
    assert "+442079460100" not in numbers
    assert others["workspaceId"] not in numbers


def test_a_second_run_keeps_everything(db: None, path: Path) -> None:
    first, before = seed(path), counts()
    assert seed(path) == first
    assert counts() == before


def test_only_what_no_longer_works_is_made_anew(api: Api, db: None, path: Path) -> None:
    first = seed(path)
    entry = first["workspaces"][0]
    public_id = public_id_of(entry["apiKey"], CredentialPrefix.API_KEY)
    ApiKey.objects.filter(public_id=public_id).update(revoked_at=timezone.now())

    second = seed(path)

    replaced = second["workspaces"][0].pop("apiKey")
    assert replaced != first["workspaces"][0].pop("apiKey")
    assert second == first
    checked(api.get("/api/auth/me", {"x-api-key": replaced}), 200)


@pytest.mark.parametrize("name", ["readOnlyApiKey", "testApiKey", "bearerToken", "password"])
def test_a_text_that_was_tampered_with_is_replaced(
    api: Api, db: None, path: Path, name: str
) -> None:
    first = seed(path)
    tampered = json.loads(path.read_text())
    tampered["workspaces"][1][name] = first["workspaces"][0][name]
    path.write_text(json.dumps(tampered))

    second = seed(path)

    known = (first["workspaces"][0][name], first["workspaces"][1][name])
    assert second["workspaces"][1][name] not in known
    assert second["workspaces"][0] == first["workspaces"][0]


def test_a_token_about_to_expire_is_replaced(db: None, path: Path) -> None:
    first = seed(path)
    AccessToken.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    second = seed(path)
    for old, new in zip(first["workspaces"], second["workspaces"], strict=True):
        assert old.pop("bearerToken") != new.pop("bearerToken")
        assert old == new


def test_an_inactive_number_stays_inactive_and_an_active_one_comes_back(
    db: None, path: Path
) -> None:
    entry = seed(path)["workspaces"][0]
    PhoneNumber.objects.filter(id=entry["phoneIds"][0]).update(is_active=False)
    PhoneNumber.objects.filter(id=entry["inactivePhoneId"]).update(is_active=True)
    assert seed(path)["workspaces"][0] == entry
    assert PhoneNumber.objects.get(id=entry["phoneIds"][0]).is_active
    assert not PhoneNumber.objects.get(id=entry["inactivePhoneId"]).is_active


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', "\x00"])
def test_a_broken_file_is_written_anew(db: None, path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    demo = seed(path)
    assert len(demo["workspaces"]) == 2


def test_a_lost_file_makes_new_credentials_for_the_same_people(db: None, path: Path) -> None:
    first = seed(path)
    path.unlink()
    second = seed(path)
    for old, new in zip(first["workspaces"], second["workspaces"], strict=True):
        same = ("name", "workspaceId", "userId", "email", "agentId", "phoneIds", "inactivePhoneId")
        assert {name: old[name] for name in same} == {name: new[name] for name in same}
        assert old["apiKey"] != new["apiKey"]


def test_it_refuses_outside_development(db: None, path: Path, settings: Settings) -> None:
    del settings.DEMO_ALLOWED
    with pytest.raises(CommandError, match="development only"):
        call_command("seed_demo")
    assert not path.exists()
    assert counts() == [0] * 7


def test_what_cannot_be_written_leaves_nothing_in_the_database(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo.json").mkdir()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with pytest.raises(OSError, match=r"demo\.json"):
        call_command("seed_demo")
    assert counts() == [0] * 7
