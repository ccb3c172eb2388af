"""Rules about objects that a schema cannot say: pure functions from objects to causes with field paths."""
