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
    """A `callback_url` that ends with `call=` is completed, as the dialer's are."""
    request_uuid = request_uuid or uuid4()
    if callback_url.endswith("call="):
        callback_url += str(request_uuid)
    return CallRequest(
        request_uuid=request_uuid,
        from_number=from_number,
        to_number=f"+131055520{digits}",
        callback_url=callback_url,
    )
