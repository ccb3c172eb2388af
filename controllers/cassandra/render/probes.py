"""Probes and the stop hook of the cassandra container; all of them ask the management API."""

from __future__ import annotations

from typing import Any

LIVENESS = "/api/v0/probes/liveness"
READINESS = "/api/v0/probes/readiness"
DRAIN = "/api/v0/ops/node/drain"
HANDLERS = ("httpGet", "exec", "tcpSocket", "grpc")

CERTIFICATES = "/management-api-certs"
CA_FILE = f"{CERTIFICATES}/ca.crt"
CERTIFICATE_FILE = f"{CERTIFICATES}/tls.crt"
KEY_FILE = f"{CERTIFICATES}/tls.key"


def liveness_probe(port: int) -> dict[str, Any]:
    return _probe(LIVENESS, port, delay=15, period=15)


def readiness_probe(port: int) -> dict[str, Any]:
    return _probe(READINESS, port, delay=20, period=10)


def complete_probe(given: dict[str, Any] | None, default: dict[str, Any]) -> dict[str, Any]:
    """The user's probe; one that only changes times keeps the default's way of asking."""
    if not given:
        return default
    if any(handler in given for handler in HANDLERS):
        return given
    return {**default, **given}


def pre_stop(port: int, *, secured: bool = False) -> dict[str, Any]:
    """Drain before the container is stopped, however long that takes."""
    return {"exec": curl("POST", DRAIN, port, seconds=0, secured=secured)}


def curl(method: str, path: str, port: int, *, seconds: int, secured: bool) -> dict[str, Any]:
    """A call of the management API from within the container, with its own certificate if need be."""
    credentials = ["-k", "--cert", CERTIFICATE_FILE, "--key", KEY_FILE, "--cacert", CA_FILE]
    scheme = "https" if secured else "http"
    return {
        "command": [
            *("curl", "-X", method, "-s"),
            *(credentials if secured else ()),
            *("-m", str(seconds), "-o", "/dev/null", "--show-error", "--fail"),
            f"{scheme}://localhost:{port}{path}",
        ]
    }


def _probe(path: str, port: int, *, delay: int, period: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "initialDelaySeconds": delay,
        "periodSeconds": period,
        "timeoutSeconds": 10,
    }
