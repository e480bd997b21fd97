"""Machine set-up. Standard library only: it runs on the system's Python before anything is installed."""
