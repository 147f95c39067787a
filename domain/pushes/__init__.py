"""The ledger of every outgoing message: one row each, and the row is the truth."""
