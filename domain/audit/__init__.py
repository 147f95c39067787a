"""Who did what, and who looked: one row in the same transaction as the deed."""
