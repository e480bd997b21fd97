"""HTTP for plans, subscriptions and orders."""
