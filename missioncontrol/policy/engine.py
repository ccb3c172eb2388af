"""What every policy engine answers, and what its absence means: no answer is a refusal.

Admission, planning and audit ask the same question through this interface, whichever engine evaluates it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

PolicyInput = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """A policy says no to something, at a field, in a sentence for people."""

    policy: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What all policies together say."""

    violations: tuple[Violation, ...] = ()
    evaluated: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether no policy objects."""
        return not self.violations


class PolicyUnavailable(Exception):
    """There is no decision: the engine is away, late, failed or gave an answer that is none."""


class PolicyEngine(Protocol):
    """Decides about an input, within its own deadline."""

    async def decide(self, question: PolicyInput, *, timeout: float) -> Decision:
        """The decision. Raises PolicyUnavailable instead of ever guessing one."""
        ...


def read_decision(answer: Any) -> Decision:
    """The decision document of `missioncontrol.admission.decision`, read strictly."""
    if not isinstance(answer, dict):
        raise PolicyUnavailable("the policy engine gave no decision: the policy library is not loaded")
    violations, evaluated = answer.get("violations"), answer.get("evaluated")
    if not isinstance(violations, list) or not isinstance(evaluated, list):
        raise PolicyUnavailable("the policy engine gave a decision that cannot be read")
    if not evaluated:
        raise PolicyUnavailable("the policy engine has no policy loaded")
    try:
        found = [
            Violation(str(each["policy"]), str(each["field"]), str(each["message"])) for each in violations
        ]
    except (KeyError, TypeError) as error:
        raise PolicyUnavailable("the policy engine gave a violation that cannot be read") from error
    found.sort(key=lambda each: (each.field, each.policy, each.message))
    return Decision(tuple(found), tuple(sorted(map(str, evaluated))))
