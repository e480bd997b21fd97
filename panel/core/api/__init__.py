"""HTTP of the kernel, and what every API shares."""
