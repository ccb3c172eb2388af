"""Rules about objects beyond their schema: pure functions that return every cause at once."""
