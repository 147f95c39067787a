"""What the platforms told us: stored before it is acknowledged, handled once, never lost."""
