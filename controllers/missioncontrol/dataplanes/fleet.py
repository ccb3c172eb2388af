"""The planes that have joined, by name: what all controllers of this operator look planes up in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from controllers.missioncontrol.dataplanes.credentials import Credentials
from controllers.missioncontrol.dataplanes.member import Member, Watches, watch
from controllers.runtime.cluster import Cluster
from controllers.runtime.manager import Manager
from missioncontrol.kube.client import Client

CLIENT_SECONDS = 10.0

JoinHook = Callable[[Member], None]


class Fleet:
    """Members come and go while the operator runs; each has its own connection, caches, queues and backoff."""

    def __init__(self, manager: Manager, *, control_plane: str, user_agent: str) -> None:
        self.control_plane = control_plane
        self._manager = manager
        self._user_agent = user_agent
        self._members: dict[str, Member] = {}
        self._watches: dict[str, Watches] = {}
        self._hooks: list[JoinHook] = []
        self._hopeless: set[str] = set()
        manager.on_member(self._declare)

    def on_join(self, hook: JoinHook) -> None:
        """Call `hook(member)` for each plane that joins, to declare sources over its watches."""
        self._hooks.append(hook)

    def get(self, name: str) -> Member | None:
        """The plane of this name, if it has joined."""
        return self._members.get(name)

    def pending(self, name: str) -> bool:
        """Whether it is too early to say anything of a registered plane."""
        member = self._members.get(name)
        return name not in self._hopeless if member is None else member.pending

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def join(self, name: str, credentials: Credentials) -> Member:
        """Let a plane join."""
        client = Client(credentials.config, user_agent=self._user_agent, timeout=CLIENT_SECONDS)
        cluster = self._manager.add_cluster(name, client)
        member = Member(cluster, credentials.fingerprint, self._watches.pop(name))
        self._members[name] = member
        self._hopeless.discard(name)
        for hook in self._hooks:
            hook(member)
        return member

    async def leave(self, name: str, *, hopeless: bool = False) -> None:
        """Let a plane leave; its objects stay untouched. ``hopeless``: it is registered, but cannot be connected."""
        (self._hopeless.add if hopeless else self._hopeless.discard)(name)
        if self._members.pop(name, None) is not None:
            await self._manager.remove_cluster(name)

    def _declare(self, cluster: Cluster) -> None:
        self._watches[cluster.name] = watch(cluster, control_plane=self.control_plane)
