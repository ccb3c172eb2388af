"""Health checks as kube-apiserver answers them: `ok`, or line by line what holds and what does not.

Why a check failed stays in the log where the page is open to everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Says what is missing, or None when all is well. Must not block."""


class Checks:
    """The checks of one path, `readyz` for example; `ping` is always among them."""

    def __init__(self, name: str, checks: Mapping[str, Check], *, tell: bool = False) -> None:
        """With `tell` the page says why."""
        self.name, self._tell = name, tell
        self._checks: dict[str, Check] = {"ping": lambda: None, **checks}
        self._complaints: dict[str, str] = {}

    def __contains__(self, check: str) -> bool:
        return check in self._checks

    def single(self, check: str) -> tuple[int, str]:
        """Status and text of `/readyz/<check>`."""
        complaint = self._ask(check)
        return (200, "ok") if complaint is None else (500, f"internal server error: {complaint}\n")

    def all(self, *, verbose: bool = False, exclude: Collection[str] = ()) -> tuple[int, str]:
        """Status and text of the path itself."""
        lines, failed = [], []
        for check in self._checks:
            if check in exclude:
                lines.append(f"[+]{check} excluded: ok")
            elif (complaint := self._ask(check)) is not None:
                failed.append(check)
                lines.append(f"[-]{check} failed: {complaint}")
            else:
                lines.append(f"[+]{check} ok")
        unknown = sorted(set(exclude) - set(self._checks))
        if unknown:
            quoted = ",".join(f'"{each}"' for each in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
        if failed:
            lines.append(f"{self.name} check failed")
            return 500, "\n".join(lines) + "\n"
        if not verbose:
            return 200, "ok"
        lines.append(f"{self.name} check passed")
        return 200, "\n".join(lines) + "\n"

    def _ask(self, check: str) -> str | None:
        """What the page says of a check that fails; each new reason is logged once."""
        complaint = self._checks[check]()
        if complaint is None:
            self._complaints.pop(check, None)
            return None
        if self._complaints.get(check) != complaint:
            self._complaints[check] = complaint
            log.info("%s check %s fails: %s", self.name, check, complaint)
        return complaint if self._tell else "reason withheld"
