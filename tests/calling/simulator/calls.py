"""Requests to the simulator, for its tests."""

from uuid import UUID, uuid4

from calling.carriers.base import CallRequest, Credentials

CREDENTIALS = Credentials("AC1", "token")
FROM = "+12125550100"
NOWHERE = "http://127.0.0.1:9/callback"


def request(
    digits: str = "34",
    *,
    request_uuid: UUID | None = None,
    from_number: str = FROM,
    callback_url: str = NOWHERE,
) -> CallRequest:
    return CallRequest(
        request_uuid=request_uuid or uuid4(),
        from_number=from_number,
        to_number=f"+131055520{digits}",
        callback_url=callback_url,
    )
