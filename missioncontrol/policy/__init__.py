"""The policy engine behind one interface."""
