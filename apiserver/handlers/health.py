"""/healthz, /livez, /readyz and /version.

Alive is whoever answers at all. Ready is whoever knows whom to trust and is not about to end; an outage
of the store is deliberately no reason: every replica would leave its Service at once, and the whole group
would vanish from discovery, where a 503 for each request says the truth.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Mapping
from importlib import metadata

from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.status import failure

Check = Callable[[], str | None]
"""Says what is missing, or None."""

PATHS = ("/healthz", "/livez", "/readyz")
_HEADERS = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}


class Health:
    """The checks of each path, by name."""

    def __init__(self, *, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self.live = {"ping": _ping, **live}
        self.ready = {"ping": _ping, **ready}

    def answers(self, path: str) -> bool:
        """Whether a path is one of these, or a single check below one."""
        return any(path.rstrip("/") == each or path.startswith(f"{each}/") for each in PATHS)

    def answer(self, call: Call) -> web.Response:
        """200 `ok`, or 500 with what failed; why it failed stays in the log."""
        _, name, *below = call.info.path.rstrip("/").split("/")
        checks = self.ready if name == "readyz" else self.live
        if below:
            if len(below) > 1 or below[0] not in checks:
                return web.Response(status=404, text="404 page not found\n")
            checks = {below[0]: checks[below[0]]}
        excluded = set(call.query.getall("exclude", ()))
        results = {each: check() for each, check in checks.items() if each not in excluded}
        failed = any(results.values())
        if not failed and "verbose" not in call.query:
            return _text(200, "ok")
        lines = [
            f"[+]{each} ok" if not bad else f"[-]{each} failed: reason withheld"
            for each, bad in results.items()
        ]
        lines += [f"[+]{each} excluded: ok" for each in checks if each in excluded]
        unknown = sorted(excluded - set(checks))
        if unknown:
            quoted = ", ".join(f'"{each}"' for each in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
        lines.append(f"{name} check {'failed' if failed else 'passed'}")
        return _text(500 if failed else 200, "\n".join(lines) + "\n")


def _ping() -> str | None:
    return None


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers=_HEADERS)


def version(call: Call) -> web.Response:
    """GET /version."""
    if call.info.method not in ("GET", "HEAD"):
        raise failure(
            405, "the server does not allow this method on the requested resource", headers={"Allow": "GET"}
        )
    return respond.encoded(call, dict(_version()))


@functools.cache
def _version() -> tuple[tuple[str, str], ...]:
    release = metadata.version("missioncontrol")
    major, minor, *_ = release.split(".")
    return (
        ("major", major),
        ("minor", minor),
        ("gitVersion", f"v{release}"),
        ("gitCommit", ""),
        ("gitTreeState", ""),
        ("buildDate", ""),
        ("goVersion", f"python{platform.python_version()}"),
        ("compiler", platform.python_implementation().lower()),
        ("platform", f"{platform.system().lower()}/{platform.machine()}"),
    )
