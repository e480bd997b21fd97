"""Settings for pytest: real PostgreSQL and Redis (by DATABASE_URL and REDIS_URL), short waits, a cheap hasher."""

from panel.settings.base import *  # noqa: F403

SECRET_KEY = "test-key-that-signs-nothing-of-value"  # noqa: S105
TOKEN_PEPPER = "test-pepper"  # noqa: S105
KEY_ENCRYPTION_KEY = "test-key-encryption-key"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
API_RATE_LIMIT_PER_MINUTE = API_REFUSED_LIMIT_PER_MINUTE = 1_000_000
