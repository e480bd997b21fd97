"""Writes about plans and subscriptions."""
