"""Settings that contradict each other, said at `manage.py check --deploy` and not at night."""

from typing import Any

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def https_behind_a_proxy(**_: Any) -> list[checks.CheckMessage]:
    """Without a trusted proxy every request looks like plain HTTP, and is redirected for ever."""
    if not settings.SECURE_SSL_REDIRECT or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        checks.Warning(
            "SECURE_SSL_REDIRECT is on and no proxy is trusted: every request will be redirected.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies that end TLS in front of the"
            " service, or SECURE_SSL_REDIRECT=false where there is none.",
            id="outdial.W001",
        )
    ]


@checks.register(checks.Tags.compatibility, deploy=True)
def mail_that_arrives(**_: Any) -> list[checks.CheckMessage]:
    """Admins are told by e-mail when a number goes on the do-not-call list."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.dummy.EmailBackend":
        return []
    return [
        checks.Warning(
            "EMAIL_URL is not set: nobody is mailed.",
            hint="Set EMAIL_URL to a mail server, and DEFAULT_FROM_EMAIL to a sender that it accepts.",
            id="outdial.W002",
        )
    ]
