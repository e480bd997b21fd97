"""Builds the starter images on the machine itself, from its own package sources. Run as root."""
