"""For a real installation: everything secret comes from the environment, or nothing starts."""

from config.settings.base import *

SECRET_KEY = env.str("SECRET_KEY")
CREDENTIAL_PEPPERS = numbered_secrets("CREDENTIAL_PEPPERS")
ENCRYPTION_KEYS = encryption_keys()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
DATABASES = {"default": database()}
# Without EMAIL_URL nobody is mailed: outdial.W002 of `check --deploy`.
vars().update(env.email_url_config(env.str("EMAIL_URL", default="") or "dummymail://"))

# TLS ends at a proxy in front; health checks come from inside and without it.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
