"""Readers, writers and watchers in numbers, with the retries of an ordinary client and no others.

client-go's rules: what failed before anything was sent is sent again; a GET is repeated after a lost
connection; 429 and 5xx are repeated when Retry-After says so. A write whose connection broke while it was
under way is told to the caller, who looks what became of it. A watch goes on from the last version it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

ATTEMPTS = 10
REQUEST_SECONDS = 75.0
"""More than a server takes for any request, however busy the machine."""
PROXY_FAILED = b"error trying to reach service"
SHUT = b"service unavailable"
"""What kube-apiserver says to all while it takes us for away (docs/operating.md); nothing was sent to us."""
SHUT_SECONDS = 5.0


class Unclear(Exception):
    """The connection broke while a write was under way: it may have been made or not."""

    idle = 0.0
    """Seconds since the client began its last write before this one: since then, at the latest, the server
    could not tell it anything. (When it saw the answer says little of when that was given.)
    """


class Expired(Exception):
    """The server no longer knows what happened since the version that a watch asks for."""


@dataclass(frozen=True)
class Way:
    """How requests reach our server: straight, as kube-apiserver does it, or through kube-apiserver."""

    url: str
    context: ssl.SSLContext
    headers: dict[str, str] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=self.context, limit=1)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(
            self.url, connector=connector, headers=self.headers, timeout=timeout, read_bufsize=1 << 20
        ) as session:
            yield session


class Sender:
    """One client: its own connection, its own retries."""

    def __init__(self, session: aiohttp.ClientSession, traffic: Traffic) -> None:
        self._session, self._traffic = session, traffic
        self.retries = 0
        self._asked = time.monotonic()

    async def write(self, path: str, **options: Any) -> Any:
        """A PATCH; Unclear where nobody can know what became of it."""
        before, self._asked = self._asked, time.monotonic()
        try:
            return await self.send("PATCH", path, **options)
        except Unclear as error:
            error.idle = self._asked - before
            raise

    async def send(self, method: str, path: str, **options: Any) -> Any:
        """The decoded answer; what no retry can hide is noted."""
        last = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.retries += 1
                await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    async with self._session.request(method, path, **options) as answer:
                        data = await answer.read()
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                last = repr(error)
                continue
            except (aiohttp.ClientError, OSError) as error:
                last = repr(error)
                if method != "GET":
                    raise Unclear(last) from error
                continue
            last = f"{answer.status} {data[:300]!r}"
            # kube-apiserver's own words for a connection to us that broke: no more and no less than that
            if answer.status == 503 and data.startswith(PROXY_FAILED):
                if method != "GET":
                    raise Unclear(last)
                continue
            if answer.status == 503 and data.startswith(SHUT) and self._traffic.killed_just_now():
                continue
            if (answer.status == 429 or answer.status >= 500) and "Retry-After" in answer.headers:
                continue
            if answer.status >= 400:
                break
            return orjson.loads(data)
        self._traffic.failures.append(f"{method} {path}: {last}")
        return None


@dataclass
class Traffic:
    """All clients of one run on one collection, and what they found."""

    collection: str
    """The path of the collection; every writer has an object `w<number>` in it."""
    ways: list[Way]
    seed: int
    pause: float = 1.0
    failures: list[str] = field(default_factory=list)
    unclear: list[tuple[float, str]] = field(default_factory=list)
    """Writes that nobody knows the end of, and for how long their client had not asked for anything."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    seen: list[list[tuple[str, str, int]]] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """What watchers were told last instead of a stream."""
    expired: int = 0
    requests: int = 0
    killed: float = -SHUT_SECONDS
    """When a replica was killed last."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def killed_just_now(self) -> bool:
        """Whether kube-apiserver may have met nobody when it asked for us."""
        return time.monotonic() - self.killed < SHUT_SECONDS

    def _way(self, number: int) -> Way:
        return self.ways[number % len(self.ways)]

    async def _pace(self, chance: random.Random) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.pause * chance.uniform(0.5, 1.5)):
                await self.stopped.wait()

    async def write(self, number: int) -> None:
        """Count up in an annotation of one object; remember what was acknowledged."""
        chance = random.Random(f"{self.seed}-writer-{number}")
        path, count = f"{self.collection}/w{number}", 0
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._way(number).session() as session:
            sender = Sender(session, self)
            while not self.stopped.is_set():
                await self._pace(chance)
                count += 1
                patch = orjson.dumps({"metadata": {"annotations": {"example.com/count": str(count)}}})
                try:
                    answer = await sender.write(path, data=patch, headers=headers)
                except Unclear as error:
                    self.unclear.append((error.idle, f"PATCH {path}: {error}"))
                    answer = await sender.send("GET", path)
                    count = int(counted(answer)) if answer else count
                self.requests += 1
                if answer is not None:
                    self.acknowledged[number] = int(counted(answer))
                    self.versions[number] = int(answer["metadata"]["resourceVersion"])

    async def read(self, number: int) -> None:
        """Read one object and the list, in pages or whole; nothing ever goes back in time."""
        chance = random.Random(f"{self.seed}-reader-{number}")
        newest = 0
        async with self._way(number).session() as session:
            sender = Sender(session, self)
            while not self.stopped.is_set():
                await self._pace(chance)
                known, target = dict(self.versions), chance.randrange(max(1, len(self.versions)))
                if chance.random() < 0.7:
                    answer = await sender.send("GET", f"{self.collection}/w{target}")
                    version = int(answer["metadata"]["resourceVersion"]) if answer else newest
                    if answer and version < known.get(target, 0):
                        self.failures.append(f"w{target} was read at {version}, after {known[target]}")
                else:
                    version = await self._list(sender, chance.choice((0, 20)))
                    if version and version < max(newest, *known.values(), 0):
                        self.failures.append(f"a list at {version}, after {newest} and {known}")
                    newest = max(newest, version)
                self.requests += 1

    async def _list(self, sender: Sender, limit: int) -> int:
        query = f"?limit={limit}" if limit else ""
        versions, names = set(), []
        while True:
            answer = await sender.send("GET", self.collection + query)
            if answer is None:
                return 0
            versions.add(int(answer["metadata"]["resourceVersion"]))
            names += [each["metadata"]["name"] for each in answer["items"]]
            token = answer["metadata"].get("continue")
            if not token:
                break
            query = f"?limit={limit}&continue={token}"
        if len(versions) != 1 or len(names) != len(set(names)) or len(names) < len(self.versions):
            self.failures.append(f"pages of versions {versions} with {len(names)} names")
        return versions.pop()

    async def watch(self, number: int, since: int) -> None:
        """Follow the collection from one version, through every break; list anew only when told to."""
        events: list[tuple[str, str, int]] = []
        self.seen.append(events)
        version = since
        async with self._way(number).session() as session:
            while True:
                path = f"{self.collection}?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
                try:
                    async with session.get(path) as answer:
                        if answer.status != 200:
                            self.refused[number] = f"{answer.status} {(await answer.read())[:300]!r}"
                            if answer.status == 410:
                                raise Expired
                        else:
                            async for line in answer.content:
                                version = self._event(orjson.loads(line), events, version)
                except (aiohttp.ClientError, OSError, ValueError):
                    # the last line may be half of one
                    pass
                except Expired:
                    self.expired += 1
                    version = await self._list_again(session, events, version)
                await asyncio.sleep(0.05)

    async def _list_again(
        self, session: aiohttp.ClientSession, events: list[tuple[str, str, int]], version: int
    ) -> int:
        """What informers do: the list tells how things are, not how they came about."""
        answer = await Sender(session, self).send("GET", self.collection)
        if answer is None:
            return version
        listed = [
            (int(each["metadata"]["resourceVersion"]), each["metadata"]["name"]) for each in answer["items"]
        ]
        events += [("LISTED", name, current) for current, name in sorted(listed) if current > version]
        return int(answer["metadata"]["resourceVersion"])

    def _event(self, event: Any, events: list[tuple[str, str, int]], version: int) -> int:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            if item.get("code") == 410:
                raise Expired
            self.failures.append(f"a watch at {version}: {item}")
            return version
        current = int(item["metadata"]["resourceVersion"])
        if kind != "BOOKMARK":
            events.append((kind, item["metadata"]["name"], current))
        elif current < version:
            self.failures.append(f"a bookmark goes back from {version} to {current}")
        return current


def counted(item: Any) -> str:
    return str((item["metadata"].get("annotations") or {}).get("example.com/count", "0"))
