"""Pages an RM sees beside a chat."""
