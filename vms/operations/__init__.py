"""What workers do to guests."""
