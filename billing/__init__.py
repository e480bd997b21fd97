"""Who pays: plans and subscriptions."""
