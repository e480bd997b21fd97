"""Writes about guests."""
