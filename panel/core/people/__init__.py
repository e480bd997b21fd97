"""Services for people and programs: customers, their members, users, tokens, keys."""
