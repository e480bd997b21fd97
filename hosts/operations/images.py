"""Builds and copies of images."""
