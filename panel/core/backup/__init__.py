"""Backing the panel itself up into one file, and restoring it: database, and the secrets that make it useful."""
