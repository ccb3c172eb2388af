"""Probes and the stop hook of the cassandra container; all of them ask the management API."""

from __future__ import annotations

from typing import Any

HANDLERS = ("httpGet", "exec", "tcpSocket", "grpc")


def liveness_probe(port: int) -> dict[str, Any]:
    return _probe("/api/v0/probes/liveness", port, delay=15, period=15)


def readiness_probe(port: int) -> dict[str, Any]:
    return _probe("/api/v0/probes/readiness", port, delay=20, period=10)


def complete_probe(given: dict[str, Any] | None, default: dict[str, Any]) -> dict[str, Any]:
    """The user's probe; one that only changes times keeps the default's way of asking."""
    if not given:
        return default
    if any(handler in given for handler in HANDLERS):
        return given
    return {**default, **given}


def pre_stop(port: int) -> dict[str, Any]:
    """Drain before the container is stopped."""
    url = f"http://localhost:{port}/api/v0/ops/node/drain"
    command = ["curl", "-X", "POST", "-s", "-m", "0", "-o", "/dev/null", "--show-error", "--fail", url]
    return {"exec": {"command": command}}


def _probe(path: str, port: int, *, delay: int, period: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "initialDelaySeconds": delay,
        "periodSeconds": period,
        "timeoutSeconds": 10,
    }
