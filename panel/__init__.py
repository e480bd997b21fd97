"""The Django project: wiring (settings, urls, asgi, celery) and the kernel app ``panel.core``."""

__version__ = "0.1.0"
