"""Static files with hashed names, also inside ES modules' imports, so that browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage with Django's support for relative imports in ES modules."""

    support_js_module_import_aggregation = True
    manifest_strict = False
