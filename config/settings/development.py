"""For `make run` on one's own machine: fixed secrets, never to be reached from outside."""

from importlib.util import find_spec
from pathlib import Path

from config.logging import configure_logging
from config.settings.base import *

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
SECRET_KEY = "development-only-development-only-development-only"  # noqa: S105
CREDENTIAL_PEPPERS = {1: "development-only-pepper-development-only"}
ENCRYPTION_KEYS = ["ZGV2ZWxvcG1lbnQtb25seS1kZXZlbG9wbWVudC1vbiE="]
DATABASES = {"default": database()}

# `seed_demo` prints passwords and keys: it refuses to run where this is not set.
DEMO_ALLOWED = True
DEMO_FILE = Path(env.str("DATA_DIR", default=".data")) / "demo.json"

# A lost callback is found out while somebody is still looking.
CALLBACK_PATIENCE_SECONDS = env.float("CALLBACK_PATIENCE_SECONDS", default=10.0)

# Somebody who tries webhooks out receives them on this machine.
WEBHOOK_ALLOWED_NETWORKS = networks("WEBHOOK_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"])

WHITENOISE_USE_FINDERS = True  # no collectstatic
STATIC_ROOT = None  # type: ignore[assignment]
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
LOGGING = configure_logging(
    as_json=env.str("LOG_FORMAT", default="console") == "json",
    level=env.str("LOG_LEVEL", default="INFO"),
)
if find_spec("django_migration_linter"):  # a development requirement, absent from `make run`'s
    INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
MIGRATION_LINTER_OPTIONS = {
    "include_apps": ["batches", "calling", "workspaces"],
    "no_cache": True,
    # It drops columns that no release ever filled: the counters moved to a table of their own.
    "ignore_name": ["0002_calls_imports_do_not_call"],
}
