"""Static files with hashed names, also inside ES modules' imports, so that browsers may keep them for ever.

What is vendored comes from ``node_modules`` file by file: a package's other builds are never served.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Name under STATIC_URL → path under node_modules.
VENDOR_FILES = {
    "vendor/tabler/tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "vendor/tabler/tabler.min.css.map": "@tabler/core/dist/css/tabler.min.css.map",
    "vendor/preact/preact.mjs": "preact/dist/preact.mjs",
    "vendor/preact/hooks.mjs": "preact/hooks/dist/hooks.mjs",
    "vendor/htm/htm.mjs": "htm/dist/htm.mjs",
    "vendor/uplot/uplot.mjs": "uplot/dist/uPlot.esm.js",
    "vendor/uplot/uplot.min.css": "uplot/dist/uPlot.min.css",
}
# Bare names in our modules' imports → name under STATIC_URL; pages carry them as an import map.
IMPORT_MAP = {
    "preact": "vendor/preact/preact.mjs",
    "preact/hooks": "vendor/preact/hooks.mjs",
    "htm": "vendor/htm/htm.mjs",
    "uplot": "vendor/uplot/uplot.mjs",
}
ON_DEMAND = frozenset({"uplot"})  # fetched when it is needed, not with the page


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage with Django's support for relative imports in ES modules."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 30  # one for each level of modules that import modules
    manifest_strict = False


class VendorStorage(FileSystemStorage):
    """The files of ``VENDOR_FILES``, read where npm put them."""

    prefix = ""

    def path(self, name: str) -> str:
        return os.path.join(settings.BASE_DIR, "node_modules", VENDOR_FILES[name])


class VendorFinder(BaseFinder):
    """Finds vendored files for ``collectstatic`` and for WhiteNoise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._storage = VendorStorage()
        super().__init__(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[Any]:
        """Say nothing: a checkout without node_modules must still pass Django's checks."""
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """Return the file's place, or an empty list."""
        if path not in VENDOR_FILES or not os.path.isfile(self._storage.path(path)):
            return []
        return [self._storage.path(path)] if find_all else self._storage.path(path)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, VendorStorage]]:
        """Yield every vendored file that npm has installed."""
        for name in VENDOR_FILES:
            if os.path.isfile(self._storage.path(name)):
                yield name, self._storage
