"""Tests of this kind: concurrency."""
