"""What answers the verbs: one module for each family of them."""
