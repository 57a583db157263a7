"""How many requests a minute: what is counted, what is told, and that no process gives out more."""

import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from tests.cast import Api, Person, in_sandbox
from tests.envelope import checked
from tests.workspaces.conftest import SignIn
from workspaces.callers import Actor, Caller, Role
from workspaces.ids import new_object_id
from workspaces.models import RateWindow, Workspace
from workspaces.rate_limits import Limiter, Standing, delete_old_windows
from workspaces.tasks import clean_up_rate_windows

ME = "/api/auth/me"
NOON = datetime(2025, 5, 15, 12, 0, 29, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def caller(
    workspace: Workspace, *, key: int = 0, workspace_limit: int = 0, id_: str = ""
) -> Caller:
    return Caller(
        workspace_id=workspace.id,
        workspace_timezone="UTC",
        user_id=new_object_id(),
        role=Role.OWNER,
        scopes=frozenset(),
        credential_id=id_ or new_object_id(),
        actor=Actor(),
        rate_limit=workspace_limit,
        key_rate_limit=key,
    )


def granted(limiter: Limiter, who: Caller, times: int, now: datetime = NOON) -> int:
    return sum(standing_of(limiter, who, now).exceeded is None for _ in range(times))


def standing_of(limiter: Limiter, who: Caller, now: datetime = NOON) -> Standing:
    standing = limiter.spend(who, now)
    assert standing is not None
    return standing


# --- What is given out ----------------------------------------------------------------------------


def test_of_several_processes_none_gives_out_what_another_has(owner: Person) -> None:
    """Small limits to the request; large ones less what the others hold, and never more."""
    for limit, least in ((1, 1), (7, 7), (100, 100), (1000, 970)):
        processes, who = [Limiter() for _ in range(4)], caller(owner.workspace, key=limit)
        given: Counter[int] = Counter()
        for turn in range(2 * limit):
            given[turn % 4] += granted(processes[turn % 4], who, 1)
        assert least <= given.total() <= limit
        assert min(given.values()) >= (limit // 8 if limit > 7 else 0)
        assert sum(granted(one, who, 20) for one in processes) <= limit - given.total()


def test_most_requests_ask_nobody_and_what_is_refused_asks_once(
    owner: Person, statements: CaptureQueriesContext
) -> None:
    who, limiter = caller(owner.workspace, key=6000, workspace_limit=12000), Limiter()
    assert granted(limiter, who, 600) == 600
    assert (
        len(statements) == 14
    )  # 60 of the key at a time, 100 of the workspace; at times both at once
    assert granted(limiter, who, 6000) == 5400
    assert len(statements) == 140
    assert granted(limiter, who, 1000) == 0
    assert len(statements) == 140
    late = Limiter()
    assert granted(late, who, 10) == 0
    assert len(statements) == 141


def test_a_key_has_its_own_limit_and_shares_that_of_its_workspace(
    owner: Person, stranger: Person
) -> None:
    limiter = Limiter()
    first, second, third = (caller(owner.workspace, key=4, workspace_limit=6) for _ in range(3))
    assert granted(limiter, first, 10) == 4
    assert granted(limiter, second, 10) == 2
    over = standing_of(limiter, second)
    assert over.exceeded is not None
    assert over.exceeded.name == "workspace"
    # What the workspace was refused for costs the key nothing; and a first request learns of it, too.
    assert [(one.name, one.left) for one in over.quotas] == [("key", 2), ("workspace", 0)]
    assert granted(Limiter(), third, 3) == 0
    assert granted(limiter, caller(stranger.workspace, key=4, workspace_limit=6), 10) == 4


def test_the_window_turns_with_the_minute(owner: Person) -> None:
    who, limiter = caller(owner.workspace, key=5), Limiter()
    assert granted(limiter, who, 9) == 5
    assert granted(limiter, who, 9, NOON.replace(second=59, microsecond=999_999)) == 0
    turned = NOON.replace(minute=1, second=0)
    assert granted(limiter, who, 3, turned) == 3
    # A clock that is behind has no second helping of either minute.
    assert granted(limiter, who, 9, NOON) == 2
    assert granted(Limiter(), who, 9, NOON) == 0
    assert granted(limiter, who, 9, turned) == 0
    assert RateWindow.objects.get().used == 5
    # One that went wrong by an hour is forgotten.
    assert granted(limiter, who, 9, NOON + timedelta(hours=1)) == 5
    assert granted(limiter, who, 9, turned + MINUTE) == 5


def test_a_changed_limit_counts_at_once_and_forgets_nothing(owner: Person) -> None:
    key, limiter = new_object_id(), Limiter()
    assert granted(limiter, caller(owner.workspace, key=10, id_=key), 6) == 6
    assert granted(limiter, caller(owner.workspace, key=4, id_=key), 3) == 0
    assert granted(limiter, caller(owner.workspace, key=8, id_=key), 9) == 2
    assert limiter.spend(caller(owner.workspace, id_=key), NOON) is None


@pytest.mark.parametrize("limit", [60, 2000])
@pytest.mark.django_db(transaction=True)
def test_threads_of_two_processes_share_a_limit(owner: Person, limit: int) -> None:
    """On connections of their own; two keys, so that only the workspace is at its limit."""
    keys = [caller(owner.workspace, key=limit, workspace_limit=limit) for _ in range(2)]
    given: list[int] = []
    start = threading.Barrier(6)

    def work(limiter: Limiter, who: Caller) -> None:
        try:
            start.wait(10)
            given.append(granted(limiter, who, limit // 2))
        finally:
            connection.close()

    processes = [Limiter(), Limiter()]
    threads = [
        threading.Thread(target=work, args=(processes[turn % 2], keys[turn // 3]))
        for turn in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(given) == 6
    assert limit - 2 * (limit // 100) <= sum(given) <= limit


_OTHER_PROCESS = """
import django
django.setup()
from datetime import datetime
from django.db import connections
from tests.workspaces.test_rate_limits import Limiter, caller, granted
from workspaces.models import Workspace
connections.databases["default"]["NAME"] = {database!r}
who = caller(Workspace(id={workspace!r}), key=500, id_={key!r})
print(granted(Limiter(), who, 1000, datetime.fromisoformat({now!r})))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_real_processes_share_a_limit(owner: Person) -> None:
    text = _OTHER_PROCESS.format(
        database=connection.settings_dict["NAME"],
        workspace=owner.workspace.id,
        key=new_object_id(),
        now=NOON.isoformat(),
    )
    command = [sys.executable, "-c", text]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(given) == 500  # each spends all that it holds


def test_windows_of_those_who_have_gone_are_deleted(owner: Person, stranger: Person) -> None:
    for who, age in ((owner, 0), (stranger, 25)):
        granted(
            Limiter(), caller(who.workspace, key=5), 1, datetime.now(UTC) - timedelta(hours=age)
        )
    assert clean_up_rate_windows(0) == 1
    assert RateWindow.objects.get().workspace_id == owner.workspace.id
    assert delete_old_windows(before=datetime.now(UTC) - MINUTE) == 0


# --- Over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[datetime]:
    """The minute of a fresh process with limits; the last of the list is now."""
    settings.API_RATE_LIMIT, settings.API_KEY_RATE_LIMIT = 5, 3
    times = [NOON]
    monkeypatch.setattr("workspaces.api.base.LIMITER", Limiter())
    spend = Limiter.spend
    monkeypatch.setattr(Limiter, "spend", lambda self, who, now: spend(self, who, times[-1]))
    return times


def told(response: Any) -> tuple[str, str]:
    return response["RateLimit-Policy"], response["RateLimit"]


POLICY = '"key";q=3;w=60, "workspace";q=5;w=60'


def test_every_authenticated_answer_tells_the_limits(
    api: Api, owner: Person, clock: list[datetime]
) -> None:
    assert told(api.get(ME, owner.with_key)) == (POLICY, '"key";r=2;t=31, "workspace";r=4;t=31')
    denied = api.post("/api/agents", {}, owner.with_read_key)
    checked(denied, 403)
    assert told(denied)[1] == '"key";r=2;t=31, "workspace";r=3;t=31'
    clock.append(NOON + timedelta(seconds=30.5))
    missing = api.get(f"/api/agents/{new_object_id()}", owner.with_key)
    checked(missing, 404)
    assert told(missing) == (POLICY, '"key";r=1;t=1, "workspace";r=2;t=1')
    for unknown in (api.get(ME), api.get(ME, {"x-api-key": "nonsense"}), api.get("/api/nothing")):
        assert "RateLimit" not in unknown
    Workspace.objects.filter(id=owner.workspace.id).update(is_active=False)
    assert "RateLimit" not in api.get(ME, owner.with_key)


def test_who_sends_too_much_gets_a_429_until_the_minute_is_over(
    api: Api, owner: Person, stranger: Person, clock: list[datetime]
) -> None:
    for _ in range(3):
        checked(api.get(ME, owner.with_key), 200)
    refused = api.post("/api/call/createBatch", {}, owner.with_key)
    body = checked(refused, 429)
    assert body["message"] == "Too many requests"
    assert body["errorMessage"] == (
        "More than 3 requests a minute with this API key. Try again in 31 seconds."
    )
    assert body["data"] is None
    assert refused["Retry-After"] == "31"
    assert told(refused) == (POLICY, '"key";r=0;t=31, "workspace";r=2;t=31')
    for _ in range(2):
        checked(api.get(ME, owner.with_token), 200)
    body = checked(api.get(ME, owner.with_token), 429)
    assert "with all credentials of this workspace together" in body["errorMessage"]
    checked(api.get(ME, stranger.with_key), 200)
    clock.append(NOON + timedelta(seconds=31))
    checked(api.get(ME, owner.with_key), 200)


def test_what_needs_no_credentials_has_no_limit(
    api: Api, owner: Person, clock: list[datetime]
) -> None:
    for _ in range(7):
        login = {"email": owner.user.email, "password": "wrong" * 4}
        response = api.post("/api/auth/login", login, owner.with_key)
        assert "RateLimit" not in response
    assert not RateWindow.objects.exists()


def test_a_workspace_has_limits_of_its_own_and_its_sandbox_the_same_apart(
    api: Api, owner: Person, stranger: Person, clock: list[datetime]
) -> None:
    mine = Workspace.objects.filter(id=owner.workspace.id)
    for own, policy in (
        ({"rate_limit": 9}, '"key";q=3;w=60, "workspace";q=9;w=60'),
        ({"key_rate_limit": 0}, '"workspace";q=9;w=60'),
        ({"key_rate_limit": 8, "rate_limit": 0}, '"key";q=8;w=60'),
    ):
        mine.update(**own)
        assert told(api.get(ME, owner.with_key))[0] == policy
    assert told(api.get(ME, stranger.with_key))[0] == POLICY
    test = in_sandbox(owner)
    assert told(api.get(ME, test.with_key)) == ('"key";q=8;w=60', '"key";r=7;t=31')
    Workspace.objects.filter(sandbox_of=owner.workspace).update(key_rate_limit=2)
    assert told(api.get(ME, test.with_key))[0] == '"key";q=2;w=60'
    mine.update(key_rate_limit=0)
    assert "RateLimit" not in api.get(ME, owner.with_key)


def test_an_answer_given_again_is_a_request(api: Api, owner: Person, clock: list[datetime]) -> None:
    headers = {**owner.with_key, "Idempotency-Key": "once"}
    body = {"phoneNumber": "12125550100", "type": "asked"}
    first, again = (api.post("/api/dnc/add", body, headers) for _ in range(2))
    assert again["Idempotency-Replayed"] == "true"
    assert (told(first)[1][:9], told(again)[1][:9]) == ('"key";r=2', '"key";r=1')


# --- In the back office ---------------------------------------------------------------------------


def test_the_limits_are_the_installations_to_set(
    staff: Client, owner: Person, sign_in: SignIn
) -> None:
    address = reverse("admin:workspaces_workspace_change", args=[owner.workspace.id])
    form = {
        "name": "A",
        "timezone": "UTC",
        "is_active": "on",
        "allowed_days": list("0123456"),
        "concurrency_limit": 0,
        "contact_daily_cap": 0,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    stored = Workspace.objects.filter(id=owner.workspace.id).values_list(
        "rate_limit", "key_rate_limit"
    )
    assert (
        staff.post(address, {**form, "rate_limit": "90", "key_rate_limit": "0"}).status_code == 302
    )
    assert stored.get() == (90, 0)
    leader = sign_in(owner.user)
    page = leader.get(address).content.decode()
    assert 'name="concurrency_limit"' in page
    assert 'name="rate_limit"' not in page
    assert "API requests a minute" in page
    assert (
        leader.post(address, {**form, "rate_limit": "0", "key_rate_limit": "7"}).status_code == 302
    )
    assert stored.get() == (90, 0)
    assert staff.post(address, {**form, "rate_limit": "", "key_rate_limit": ""}).status_code == 302
    assert stored.get() == (None, None)
