"""Who sits at the back office, and a carrier that does what the test tells it."""

from dataclasses import replace
from typing import Any

from django.db import connection, models
from django.test import Client
from django.urls import reverse

from calling.carriers.base import CarrierError, Credentials
from calling.carriers.twilio import TWILIO
from tests.cast import Person
from workspaces.models import User

TOKEN, ACCOUNT, NEW_TOKEN = "token-9f8e7d6c", "AC-1a2b3c4d", "token-00112233"


def browser(who: Person) -> Client:
    """Of somebody who may enter the back office; they see what their memberships show."""
    User.objects.filter(pk=who.user.pk).update(is_staff=True)
    client = Client()
    client.force_login(
        User.objects.get(pk=who.user.pk), "django.contrib.auth.backends.ModelBackend"
    )
    return client


def page(row: models.Model, verb: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{verb}", args=[row.pk])


def tells(text: Any) -> bool:
    return any(secret in str(text) for secret in (TOKEN, ACCOUNT, NEW_TOKEN))


def refusal(field: str = "authToken", code: str = "credentials_refused") -> CarrierError:
    return CarrierError("The carrier says no.", permanent=True, field=field, code=code)


class Desk:
    """A real carrier's title, and answers of the test's own."""

    title, calls_per_second, asks_back = "Desk", 7, True
    render = staticmethod(TWILIO.render)

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, str]] = []
        self.in_transaction: list[bool] = []
        self.error: Exception | None = None

    async def verify_credentials(self, credentials: Credentials, number: str) -> Credentials:
        one = credentials
        self.seen.append((one.account_id, one.auth_token, one.public_key, number))
        self.in_transaction.append(connection.in_atomic_block)
        if self.error:
            raise self.error
        return replace(credentials, public_key=credentials.public_key or "found")
