"""What workers do to hosts and images."""
