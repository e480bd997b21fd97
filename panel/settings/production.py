"""Settings of ``make up`` and of a real installation: secrets are required."""

from django.core.exceptions import ImproperlyConfigured

from panel.settings.base import *  # noqa: F403
from panel.settings.base import KEY_ENCRYPTION_KEY, SECRET_KEY, TOKEN_PEPPER

for _name, _value in {
    "DJANGO_SECRET_KEY": SECRET_KEY,
    "TOKEN_PEPPER": TOKEN_PEPPER,
    "KEY_ENCRYPTION_KEY": KEY_ENCRYPTION_KEY,
}.items():
    if not _value:
        raise ImproperlyConfigured(
            f"{_name} is not set: put it in the environment, in {_name}_FILE or in STATE/secrets."
        )
