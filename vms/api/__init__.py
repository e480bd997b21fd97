"""HTTP for guests."""
