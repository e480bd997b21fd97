"""The kernel app: accounts, jobs, audit, and the rules every other app stands on."""
