"""/healthz, /livez, /readyz and /version.

Alive is whoever answers at all. Ready is whoever knows whom to trust and is not about to end; an outage
of the store is deliberately no reason: every replica would leave its Service at once, and the whole group
would vanish from discovery, where a 503 for each request says the truth.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from importlib import metadata

from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.status import failure
from missioncontrol.serving.health import Check, Checks

PATHS = ("/healthz", "/livez", "/readyz")
_HEADERS = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}


class Health:
    """The checks of each path, by name."""

    def __init__(self, *, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._checks = {
            f"/{name}": Checks(name, checks)
            for name, checks in (("healthz", live), ("livez", live), ("readyz", ready))
        }

    def answers(self, path: str) -> bool:
        """Whether a path is one of these, or a single check below one."""
        if path in self._checks:
            return True
        above, _, single = path.rpartition("/")
        # the names of checks may have slashes of their own one day; ours have none
        return above in self._checks and single in self._checks[above]

    def answer(self, call: Call) -> web.Response:
        """200 `ok`, or 500 with what failed; why it failed stays in the log."""
        path, query = call.info.path, call.query
        if path not in self._checks:
            above, _, single = path.rpartition("/")
            return _text(*self._checks[above].single(single))
        excluded = query.getall("exclude", ())
        return _text(*self._checks[path].all(verbose="verbose" in query, exclude=excluded))


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
