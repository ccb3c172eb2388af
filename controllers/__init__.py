"""The three operators and the runtime they share."""
