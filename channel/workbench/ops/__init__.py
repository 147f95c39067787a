"""What bank operations see: whether the platforms work, what they sent, what we may call."""
