"""What we own: hosts, pools, networks, addresses, images."""
