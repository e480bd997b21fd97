"""Settings of the site that page tests open: the test settings, with the static files as production serves them."""

from panel.settings.base import STORAGES as PRODUCTION_STORAGES
from panel.settings.test import *  # noqa: F403

STORAGES = PRODUCTION_STORAGES
