"""One request on its way through the server: what it asks, who asks, how much time is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial

from aiohttp import web
from multidict import CIMultiDictProxy, MultiMapping

from apiserver import body as bodies
from apiserver.body import Decoded
from apiserver.identity import ANONYMOUS, User
from apiserver.request import Request
from apiserver.requestinfo import RequestInfo, is_true
from apiserver.status import Failure, failure, timed_out

MANAGER_LIMIT = 128


@dataclass(slots=True)
class Call:
    """A request, its user, its deadline (on the monotonic clock) and the warnings for the answer."""

    request: web.BaseRequest
    info: RequestInfo
    deadline: float
    user: User = ANONYMOUS
    asking: User | None = None
    """Who acts for that user, if it is somebody else."""
    warnings: list[str] = field(default_factory=list)
    waited: float = 0.0
    """Seconds that it waited for its turn."""
    allowed: bool | None = None
    """Whether the user may do it; None before that was asked."""
    reason: str = ""
    """Why, in the words of the authorizer."""
    keeps_body: bool = False
    """Whether somebody wants to see the body afterwards."""
    body: bytes | None = None
    audit_id: str = ""
    work: asyncio.Task[web.StreamResponse] | None = None
    """A write on its way, which ends also when nobody waits for it any more."""

    @property
    def query(self) -> MultiMapping[str]:
        return self.request.query

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self.request.headers

    @property
    def certificate(self) -> bytes | None:
        """What the client presented in the handshake (DER), unjudged."""
        return getattr(self.request, "certificate", None)

    def remaining(self) -> float:
        """Seconds left; 504 when there are none."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise timed_out()
        return seconds

    @property
    def dry_run(self) -> bool:
        """Whether the query asks to change nothing."""
        return bool(self.query.getall("dryRun", ()))

    def flag(self, name: str) -> bool:
        return is_true(self.query.get(name))

    def pick(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """These parameters as they were given, for the store."""
        return [(name, value) for name in names for value in self.query.getall(name, ())]

    def field_manager(self) -> str:
        """Who owns what is written: as given, or the client's name from its User-Agent."""
        given = self.query.get("fieldManager", "")
        return given or manager_of(self.headers.get("User-Agent", ""))

    async def read_body(self) -> bytes:
        """The whole body; a client that waits to be asked for it is asked."""
        if (self.request.content_length or 0) > bodies.LIMIT:
            raise bodies.longer()
        # kube-apiserver does not wait to be asked, and would pass the question on as if it were the answer
        waits = "X-Forwarded-Uri" not in self.headers
        expected = waits and self.headers.get("Expect", "").lower() == "100-continue"
        if expected and isinstance(self.request, Request):
            await self.request.invite_body()
        data = await bodies.read(self.request.content)
        if self.keeps_body:
            self.body = data
        return data

    async def read_object(self) -> Decoded:
        """The decoded body, with `fieldValidation` applied to keys that are given twice."""
        return await self.decode_object(await self.read_body())

    async def decode_object(self, data: bytes, *, keep: bool = False) -> Decoded:
        """A body that was read already, decoded by its media type and checked.

        With ``keep`` the keys given twice are there twice, marked, for the store to judge.
        """
        content_type = self.headers.get("Content-Type")
        decode = partial(bodies.decode_object, content_type=content_type, keep=keep)
        return self.checked(await bodies.decoded(decode, data))

    def checked(self, decoded: Decoded, *, code: int = 400) -> Decoded:
        """The store cannot see keys given twice, so they are judged here, as it would have."""
        self.judge_fields([f'duplicate field "{path}"' for path in decoded.duplicates], code=code)
        return decoded

    def judge_fields(self, texts: list[str], *, code: int = 400) -> None:
        """Refuse the request for what is wrong with its fields, or warn, as `fieldValidation` says."""
        if not texts:
            return
        match self.query.get("fieldValidation", "Warn"):
            case "Strict":
                raise _strict(code, texts)
            case "Warn" | "":
                self.warnings += [warning(text) for text in texts]


def _strict(code: int, texts: list[str]) -> Failure:
    return failure(code, f"strict decoding error: {', '.join(texts)}")


def warning(text: str) -> str:
    """The value of a Warning header."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'


@lru_cache(maxsize=1024)
def manager_of(user_agent: str) -> str:
    """`kubectl/v1.36 (linux/amd64) …` is `kubectl`."""
    name = "".join(char for char in user_agent.split("/", 1)[0] if char.isprintable())
    return name.encode()[:MANAGER_LIMIT].decode(errors="ignore") or "unknown"
