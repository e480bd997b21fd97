"""HTML pages: shells that the API and server-sent events fill."""
