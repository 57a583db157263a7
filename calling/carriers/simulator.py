from calling.carriers.base import CarrierError, Credentials

REFUSED_TOKEN = "refused"  # noqa: S105 (a word to try a refusal with)


class Simulator:
    """Owns every number, rings nobody, takes every account but one whose token is `refused`."""

    async def verify_credentials(self, credentials: Credentials, number: str) -> None:
        if credentials.auth_token == REFUSED_TOKEN:
            raise CarrierError(
                "The carrier refuses these credentials.",
                permanent=True,
                field="authToken",
                code="credentials_refused",
            )
