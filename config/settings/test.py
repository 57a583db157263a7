"""For pytest: as production where it matters, cheap where it does not."""

from config.logging import configure_logging
from config.settings.development import *

DEBUG = False
DEMO_FILE = None
SECRET_KEY = "test-only-test-only-test-only-test-only-test-only"  # noqa: S105
CREDENTIAL_PEPPERS = {
    1: "test-only-pepper-one-test-only-pepper",
    2: "test-only-pepper-two-test-only-pepper",
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = False
API_RATE_LIMIT = API_KEY_RATE_LIMIT = 0  # tests count statements
LOGGING = configure_logging(as_json=True, level="INFO")
