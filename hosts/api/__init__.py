"""HTTP for what we own."""
