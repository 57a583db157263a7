"""A test key sees and changes nothing live, and the other way round: over every route there is."""

from typing import Any

import pytest

from tests import factories, routes
from tests.cast import Api, Person, in_sandbox
from tests.rows import everything_of
from tests.test_every_route import GUARDED, ids_in, telling
from workspaces.models import User

# A live workspace's people revoke the keys of its sandbox, too, and rename it along.
REACHES_ITS_SANDBOX = {"DELETE /api/workspace/api-keys/{id}", "PATCH /api/workspace"}


def own_token(who: Person) -> dict[str, str]:
    """A new one: some request may sign out."""
    token = factories.AccessTokenFactory.create(workspace=who.workspace, user=who.user)
    return {"Authorization": f"Bearer {token.text}"}


@pytest.mark.parametrize("from_sandbox", [True, False], ids=["from sandbox", "from live"])
def test_nothing_of_the_other_world_is_seen_or_changed(
    api: Api, owner: Person, from_sandbox: bool
) -> None:
    inside = in_sandbox(owner)
    who, other = (inside, owner) if from_sandbox else (owner, inside)
    requests: list[tuple[routes.Route, str, Any]] = [
        (route, route.path(routes.live_ids(route, other)), routes.valid_body(route, other))
        for route in GUARDED
        if from_sandbox or str(route) not in REACHES_ITS_SANDBOX
    ]
    before = everything_of(other.workspace)
    # People and the pair itself are known on both sides.
    known = {owner.workspace.id, inside.workspace.id, owner.user.id, owner.user.email}
    known |= {str(user) for pair in User.objects.values_list("id", "email") for user in pair}
    secrets = telling(before) - known
    assert len(secrets) > len(GUARDED)

    statuses = set()
    for route, path, body in requests:
        response = api.request(route.method, path, body, own_token(who))
        text = b"".join(response).decode()
        sent = {mark for mark in secrets if mark in path} | ids_in(body)
        assert not [mark for mark in secrets - sent if mark in text], route
        assert response.status_code < 500, route
        assert response.status_code != 401, route
        statuses.add(response.status_code)

    assert everything_of(other.workspace) == before
    assert {200, 404} <= statuses
