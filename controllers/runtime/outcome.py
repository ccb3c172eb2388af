"""What a reconciler is given and what it gives back.

A key is only an identity: the reconciler reads the state itself. There are four outcomes: Done, RequeueAfter,
Terminal, and an exception, which is tried again with backoff. The message is one sentence that says what was
done and why; it is logged when it changes, and belongs into the object's Progressing condition as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

HOME = ""
"""The name of the cluster that the process itself belongs to; member clusters have non-empty names."""


class Key(NamedTuple):
    """Which object, in which cluster."""

    cluster: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to do until something changes."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Look again in some seconds, even if nothing changes."""

    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Failed in a way that trying again cannot mend; only a change of the object can."""

    message: str


Outcome = Done | RequeueAfter | Terminal
Reconcile = Callable[[Key], Awaitable[Outcome]]
