"""What handlers work with: the store, the rights, and what the server remembers of running requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from apiserver.authz import Attributes, Authorizer
from apiserver.call import Call
from apiserver.kinds import Served
from apiserver.storage import Store
from apiserver.watchcache.cache import WatchCache


@dataclass(slots=True)
class Context:
    """Shared by all requests. ``draining`` is set when the server is about to end."""

    store: Store
    authorizer: Authorizer
    cache: WatchCache
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    watch_event: Callable[[tuple[str, ...], int, int], None] = field(default=lambda place, size, times: None)
    """Told of each event that watches send: its group, version and resource, its bytes, how many did."""

    async def may(self, call: Call, attributes: Attributes) -> bool:
        """Whether the caller may also do this, beyond what the request itself says."""
        return (await self.authorizer.decide(call.user, attributes)).allowed

    async def require(self, call: Call, attributes: Attributes) -> None:
        """403 unless the caller may also do this."""
        await self.authorizer.require(call.user, attributes)


Handler = Callable[[Context, Call, Served], Awaitable[web.StreamResponse]]


def attributes_of(
    served: Served, verb: str, *, namespace: str, name: str = "", subresource: str = ""
) -> Attributes:
    """An action on an object of a kind, for a further check of rights."""
    resource = served.info.resource
    return Attributes(
        verb=verb,
        group=resource.group,
        version=resource.version,
        resource=resource.plural,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
