"""Builds what tests need of a machine: stores, namespaces, hosts, a running panel. As root."""
