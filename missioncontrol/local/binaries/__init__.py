"""The Kubernetes programs that the local environment runs: found, fetched or built, each checked."""

from __future__ import annotations

from missioncontrol.local.binaries.resolve import resolve_programs

__all__ = ["resolve_programs"]
