"""Services and operations on a simulated fleet."""
