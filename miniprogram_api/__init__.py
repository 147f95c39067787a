"""JSON for the mini-program."""
