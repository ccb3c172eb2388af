"""The planes that have joined, by name: what all controllers of this operator look planes up in.

Beside the probe of its health each member has a task that tries it with the requests that the operator
lives on.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator

from controllers.missioncontrol.dataplanes.checks import Identity, check, verify
from controllers.missioncontrol.dataplanes.credentials import Credentials
from controllers.missioncontrol.dataplanes.member import Member, Watches, watch
from controllers.runtime.cluster import Cluster
from controllers.runtime.manager import Manager
from missioncontrol.kube.client import Client

CLIENT_SECONDS = 10.0
CHECK_SECONDS = 10.0
RECHECK_SECONDS = 2.0
SYNC_SECONDS = 0.2

JoinHook = Callable[[Member], None]


class Fleet:
    """Members come and go while the operator runs; each has a connection, caches and queues of its own."""

    def __init__(self, manager: Manager, *, control_plane: str, user_agent: str) -> None:
        self.control_plane = control_plane
        self._manager = manager
        self._user_agent = user_agent
        self._members: dict[str, Member] = {}
        self._watches: dict[str, Watches] = {}
        self._hooks: list[JoinHook] = []
        self._hopeless: set[str] = set()
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.changed: Callable[[str], None] = lambda _: None
        """Told the name of a plane whose usability changed."""
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

    def join(self, identity: Identity, credentials: Credentials) -> Member:
        """Let a plane join."""
        name = identity.name
        client = Client(credentials.config, user_agent=self._user_agent, timeout=CLIENT_SECONDS)
        # its tasks outlive the reconcile that makes them, and must not log in its name
        cluster = contextvars.Context().run(self._manager.add_cluster, name, client)
        member = Member(cluster, identity, credentials.fingerprint, self._watches.pop(name))
        self._members[name] = member
        self._hopeless.discard(name)
        for hook in self._hooks:
            hook(member)
        if self._group is not None:
            self._checks[name] = self._group.create_task(
                self._check(member), name=f"checks {name}", context=contextvars.Context()
            )
        return member

    async def leave(self, name: str, *, hopeless: bool = False) -> bool:
        """Let a plane leave; its objects stay untouched. True when it was a member.

        ``hopeless``: it is registered, but its kubeconfig cannot be used.
        """
        (self._hopeless.add if hopeless else self._hopeless.discard)(name)
        check_task = self._checks.pop(name, None)
        if check_task is not None:
            check_task.cancel()
        if self._members.pop(name, None) is None:
            return False
        await self._manager.remove_cluster(name)
        return True

    def _declare(self, cluster: Cluster) -> None:
        self._watches[cluster.name] = watch(cluster, control_plane=self.control_plane)

    def hasten(self, name: str) -> None:
        """Check a plane again at once."""
        member = self._members.get(name)
        if member is not None:
            member.recheck.set()

    async def run(self) -> None:
        """Check all members, those that join later too, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name, member in self._members.items():
                self._checks[name] = group.create_task(self._check(member), name=f"checks {name}")
            await asyncio.Event().wait()

    async def _check(self, member: Member) -> None:
        was: tuple[object, ...] = ()
        while True:
            member.recheck.clear()
            finding = await check(member.cluster.client)
            if finding is not None:
                others = [(each.identity, each.finding) for each in self if each is not member]
                known = [(identity, found) for identity, found in others if found is not None]
                finding = verify(finding, member.identity, known)
            if finding is not None and finding != member.finding:
                member.finding = finding
                if finding.ok:
                    member.watches.hurry()
            elif finding is None and member.finding is not None and not member.finding.ok:
                # what was wrong may have been mended; that it does not answer counts now
                member.finding = None
            passed = finding is not None and finding.ok
            seconds = CHECK_SECONDS if passed else RECHECK_SECONDS
            if passed:
                await self._await_sync(member, seconds)
            now = (member.finding, member.usable)
            if now != was:
                was = now
                self.changed(member.name)
            await _sleep(member.recheck, seconds)

    async def _await_sync(self, member: Member, seconds: float) -> None:
        """Caches that are about to be complete are worth waiting for."""
        waited = 0.0
        while not member.cluster.synced and waited < seconds:
            await asyncio.sleep(SYNC_SECONDS)
            waited += SYNC_SECONDS


async def _sleep(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
