"""What this replica knows of the store: one watch for each stored resource, shared by everybody."""
