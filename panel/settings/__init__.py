"""Settings: ``base`` for all, ``production`` for ``make up``, ``test`` for pytest, ``check`` for linters."""
