"""What can be wrong with a backup or with where it is restored to."""


class BackupError(Exception):
    """One sentence for the administrator. Nothing was changed."""
