"""Planners: pure functions from an operation and stored status to a plan or a refusal."""
