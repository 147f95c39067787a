"""The desk: HR, bank operations, compliance."""
