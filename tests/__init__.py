"""Tests. See docs for the suites; ``tests.factories`` makes rows, ``tests.client`` calls the API."""
