"""Specs to libvirt XML and back: pure functions, no libvirt."""
