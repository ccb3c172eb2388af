"""The Kubernetes programs that the local environment runs: found, fetched or built, each checked.

Where each one comes from is decided for it alone: the folder that KUBEBUILDER_ASSETS names, the cache,
the official release, a build from Go modules; the first that gives it in a good version.
"""

from __future__ import annotations

from missioncontrol.local.binaries.resolve import BinariesError, Resolver, resolve_programs

__all__ = ["BinariesError", "Resolver", "resolve_programs"]
