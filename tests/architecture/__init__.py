"""Tests of this kind: architecture."""
