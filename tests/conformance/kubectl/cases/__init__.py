"""The invocations, a module for each group of verbs."""
