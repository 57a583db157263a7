"""Browsers signed in to the back office: a leader, a member and a stranger."""

from django.test import Client

from tests.cast import Person
from workspaces.models import User


def browser(who: Person) -> Client:
    """Of somebody who may enter the back office; they see what their memberships show."""
    User.objects.filter(pk=who.user.pk).update(is_staff=True)
    client = Client()
    client.force_login(
        User.objects.get(pk=who.user.pk), "django.contrib.auth.backends.ModelBackend"
    )
    return client
