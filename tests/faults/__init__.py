"""What happens when something the panel stands on is not there."""
