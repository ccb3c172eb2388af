"""Certificate authorities and leaf certificates."""
