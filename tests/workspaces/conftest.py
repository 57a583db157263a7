"""Browsers that are signed in to the back office, each as somebody else."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import factories
from tests.cast import Person, person
from workspaces.callers import Role
from workspaces.models import User, WebhookEndpoint

BACKEND = "django.contrib.auth.backends.ModelBackend"
SignIn = Callable[[User], Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """A browser of this user, who is let into the back office."""

    def signed_in(user: User) -> Client:
        User.objects.filter(pk=user.pk).update(is_staff=True)
        client = Client(raise_request_exception=False)
        client.force_login(User.objects.get(pk=user.pk), BACKEND)
        return client

    return signed_in


@pytest.fixture
def admin(owner: Person) -> Person:
    return person(owner.workspace, Role.ADMIN)


@pytest.fixture
def leader(sign_in: SignIn, owner: Person) -> Client:
    return sign_in(owner.user)


@pytest.fixture
def webhook(owner: Person) -> WebhookEndpoint:
    endpoint: WebhookEndpoint = factories.WebhookEndpointFactory.create(
        workspace=owner.workspace, created_by=owner.user
    )
    return endpoint
