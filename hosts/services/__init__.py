"""Writes about what we own."""
