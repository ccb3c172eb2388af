"""What every server shares: flags, logs, health, metrics, TLS."""
