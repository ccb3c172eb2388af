"""What goes wrong with the local environment and can be told to a person in one sentence."""

from __future__ import annotations


class LocalError(RuntimeError):
    """A command could not do what it was asked; the message says what is wrong and where to look."""
