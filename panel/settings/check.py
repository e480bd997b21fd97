"""Settings for linters, type checks and schema generation: no service, no secret, no database server."""

from panel.settings.base import *  # noqa: F403

SECRET_KEY = "check"  # noqa: S105
TOKEN_PEPPER = "check"  # noqa: S105
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
