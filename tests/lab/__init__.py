"""A whole panel on a real host with real guests. Run through ``make test``, in a network namespace."""
