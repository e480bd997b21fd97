"""What the customer has: guests."""
