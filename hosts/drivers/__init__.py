"""Hypervisor drivers. Pure Python: nothing here knows Django, DRF or Celery."""
