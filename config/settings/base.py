"""What all environments share. Every setting that an operator may change is read from `env` here."""

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from config.logging import configure_logging
from config.settings import back_office

django_stubs_ext.monkeypatch()  # `models.Field[str, str]` and the like, at run time

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

DEBUG = False
ALLOWED_HOSTS: list[str] = []
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    # First: config/admin.py dresses what they register.
    "axes",
    "procrastinate.contrib.django",
    "config",
    "batches",
    "calling",
    "workspaces",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

MIDDLEWARE = [
    "config.middleware.RequestFrameMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.BackOfficeSession",
    "django.middleware.common.CommonMiddleware",
    "config.middleware.BackOfficeCsrf",
    "config.middleware.BackOfficeAuthentication",
    "config.middleware.BackOfficeMessages",
    "config.middleware.BackOfficeFrames",
    "config.middleware.BackOfficeContentSecurity",
    "config.middleware.BackOfficeWorld",
    "config.middleware.BackOfficeTimeZone",
    "config.middleware.BackOfficeLockout",
]

# They look for axes', the clickjacking and the CSRF middleware by name: ours are subclasses.
SILENCED_SYSTEM_CHECKS = ["axes.W002", "security.W002", "security.W003"]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"


# --- Database -------------------------------------------------------------------------------------
def database() -> dict[str, Any]:
    """DATABASE_URL, with the options that the code counts on."""
    settings: dict[str, Any] = env.db_url("DATABASE_URL", engine="django.db.backends.postgresql")
    settings["CONN_MAX_AGE"] = None  # a new connection a request was five times slower
    options = settings.setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", 5)
    # Server-side binding keeps hot statements prepared. A pooler in transaction mode that cannot
    # keep them (PgBouncer before 1.21) wants PREPARED_STATEMENTS=false.
    options["server_side_binding"] = True
    options["prepare_threshold"] = 2 if env.bool("PREPARED_STATEMENTS", default=True) else None
    # A forgotten open transaction keeps dead rows alive and slows every claim.
    options.setdefault("options", "-c idle_in_transaction_session_timeout=60000")
    return settings


# --- Users and credentials ------------------------------------------------------------------------
AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# How long the link of an invitation lasts; that of a forgotten password ends sooner
# (workspaces.tokens).
PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60  # seconds
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

ACCESS_TOKEN_LIFETIME = timedelta(hours=env.int("ACCESS_TOKEN_HOURS", default=7 * 24))
# API requests a minute, 0: no limit; a workspace may have its own. Of all its credentials together:
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=12_000)
# and of each key or token.
API_KEY_RATE_LIMIT = env.int("API_KEY_RATE_LIMIT", default=6_000)
# How many proxies in front of the web server append to X-Forwarded-For (workspaces.client).
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # a stranger cannot lock a user out
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # logins are audit events
AXES_VERBOSE = False
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "workspaces.services.logins.attempted_email"
AXES_CLIENT_IP_CALLABLE = "workspaces.client.client_ip"
AXES_LOCKOUT_CALLABLE = "workspaces.admin.sign_in.locked_out"


def numbered_secrets(
    name: str, default: str | environ.NoValue = environ.Env.NOTSET
) -> dict[int, str]:
    """`1:first,2:second` as a dict. Raises ImproperlyConfigured, without the secret in its text."""
    numbered = {}
    for part in env.str(name, default=default).split(","):
        number, colon, secret = part.strip().partition(":")
        if not (colon and number.isdecimal() and len(secret) >= 32):
            raise ImproperlyConfigured(
                f"{name} must read NUMBER:SECRET[,NUMBER:SECRET…], each secret of 32 characters or more."
            )
        numbered[int(number)] = secret
    return numbered


def encryption_keys() -> list[str]:
    """Fernet keys, the first encrypts. Raises ImproperlyConfigured, without a key in its text."""
    keys = [key.strip() for key in env.str("ENCRYPTION_KEYS").split(",")]
    # Not left to Fernet, which ignores what follows a key: a second one joined by a blank, say.
    if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in keys):
        raise ImproperlyConfigured(
            "ENCRYPTION_KEYS must be Fernet keys (32 bytes, URL-safe base64), separated by commas."
        )
    return keys


# --- Back office ----------------------------------------------------------------------------------
# Nothing is fetched from elsewhere, but a recording when somebody plays it. The theme's Alpine.js
# evaluates the expressions of its own templates, hence 'unsafe-eval'; no script stands in a page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'", "https:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SESSION_COOKIE_AGE = 60 * env.int("BACK_OFFICE_SESSION_MINUTES", default=12 * 60)
SESSION_COOKIE_NAME = "outdial_session"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
UNFOLD = back_office.UNFOLD
# A field for each column of a file (at most 1,000: batches.imports.sheet), and a few for the form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_100

# --- Mail -----------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="outdial@localhost")
EMAIL_TIMEOUT = 10  # seconds

# --- Background work ------------------------------------------------------------------------------
PROCRASTINATE_WORKER_DEFAULTS = {
    # Jobs at a time, in threads. One sends webhooks; of the others half may read files
    # (batches.imports.capacity).
    "concurrency": 5,
    "delete_jobs": "successful",  # a failed one stays to be looked at
    "fetch_job_polling_interval": 1.0,  # seconds; scheduled jobs are found by polling only
}

# --- Dialing --------------------------------------------------------------------------------------
# Other addresses of carriers' APIs than the published ones: twilio=https://api.dublin.ie1.twilio.com
CARRIER_API_URLS = env.dict("CARRIER_API_URLS", default={})
# Stretches everything that the simulator does: 0.1 is ten times as fast.
SIMULATOR_TIME_SCALE = env.float("SIMULATOR_TIME_SCALE", default=1.0)
# The same for the calls of sandboxes, whatever the setting above says.
SANDBOX_TIME_SCALE = env.float("SANDBOX_TIME_SCALE", default=0.1)

# Under which address carriers reach us; without it they tell us nothing, and are asked instead.
PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", default="")
# A claimed call is looked after by others so long after the moment when it was to start.
DIALER_LEASE_SECONDS = env.float("DIALER_LEASE_SECONDS", default=20.0)
# Without a callback for so long, the carrier is asked how a call is doing.
CALLBACK_PATIENCE_SECONDS = env.float("CALLBACK_PATIENCE_SECONDS", default=60.0)
# A call that may or may not have been placed is looked up so long after; then it is `unknown`.
UNSURE_LOOKUP_SECONDS: list[float] = env.list(
    "UNSURE_LOOKUP_SECONDS", cast=float, default=[0.0, 5.0, 15.0, 30.0]
)
# To finish what is being placed when the dialer is asked to stop.
DIALER_STOP_SECONDS = env.float("DIALER_STOP_SECONDS", default=30.0)


# --- Webhooks -------------------------------------------------------------------------------------
def networks(name: str, default: list[str]) -> list[IPv4Network | IPv6Network]:
    """A list of networks in CIDR notation. Raises ImproperlyConfigured."""
    try:
        return [ip_network(text.strip()) for text in env.list(name, default=default)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


# Webhooks go to the internet only; besides into these networks, there by plain HTTP, too.
WEBHOOK_ALLOWED_NETWORKS = networks("WEBHOOK_ALLOWED_NETWORKS", default=[])

# The credentials of the demo data, for the API's pages; in development only.
DEMO_FILE: Path | None = None

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["workspaces.authentication.WorkspaceAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["workspaces.permissions.EndpointAccess"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.renderers.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.negotiation.JsonNegotiation",
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.EndpointSchema",
    "EXCEPTION_HANDLER": "config.api.exceptions.handle_exception",
    "URL_FORMAT_OVERRIDE": None,  # ?format=x would be a 404
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Outdial",
    "DESCRIPTION": "Self-hosted outbound call batches: create a batch, add contacts, start it.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "CONTACT": {"name": "Who runs this installation"},
    "SERVERS": [{"url": "/", "description": "This installation."}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "BatchStatusEnum": "batches.models.BatchStatus.choices",
        "CallStatusEnum": "batches.models.CallStatus.choices",
        "AttemptStatusEnum": "batches.models.AttemptStatus.choices",
        "RetryableStatusEnum": "batches.services.dialing.RETRYABLE",
        "DeliveryStatusEnum": "workspaces.models.DeliveryStatus.choices",
        "EventTypeEnum": "workspaces.models.EventType.choices",
        "SubscriptionEnum": "workspaces.services.webhooks.SUBSCRIBABLE",
        "ReasonEnum": "batches.models.EventReason.choices",
        "CarrierPauseReasonEnum": "batches.services.outbox.GIVEN_UP",
    },
    "WEBHOOKS": "config.api.events.WEBHOOKS",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.links.add_links",
    ],
    "SORT_OPERATIONS": True,  # the order of methods would differ between runs
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": f"{STATIC_URL}outdial/icon.svg",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "validatorUrl": None,  # the default asks an outside host
    },
    "TAGS": [
        {"name": "Batches", "description": "Create a batch, watch it."},
        {"name": "Contacts", "description": "Whom to call: as JSON or as a file."},
        {"name": "Dialing", "description": "Start, stop, try again, take out."},
        {"name": "Calls", "description": "Look at the calls of a batch, take them with you."},
        {"name": "Do not call", "description": "Numbers that must not be called."},
        {"name": "Agents", "description": "Who speaks when a call is answered."},
        {"name": "Phone numbers", "description": "The numbers that calls come from."},
        {"name": "Carriers", "description": "What carriers tell us; not for integrators."},
        {"name": "Events", "description": "What happened: as a feed, and as webhooks."},
        {"name": "Webhooks", "description": "Where events are sent, and what became of them."},
        {"name": "Sign in", "description": "Bearer tokens for people."},
        {"name": "Workspace", "description": "The workspace, its members and its API keys."},
    ],
}

LOGGING = configure_logging(
    as_json=env.str("LOG_FORMAT", default="json") == "json",
    level=env.str("LOG_LEVEL", default="INFO"),
)
