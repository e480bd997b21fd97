"""Finding out on what the panel, its hosts and billing do not agree, and what can be done about it."""
