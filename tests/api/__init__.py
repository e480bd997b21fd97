"""Tests of this kind: api."""
