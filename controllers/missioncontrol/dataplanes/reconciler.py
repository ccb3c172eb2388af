"""DataPlanes: who is a member, and what is told of each.

A DataPlane or its Secret that changes lets its member leave and join again with the new credentials;
nothing in any plane is touched by that, and no other member notices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from controllers.missioncontrol.dataplanes.checks import Identity
from controllers.missioncontrol.dataplanes.credentials import Credentials, Problem, read_credentials
from controllers.missioncontrol.dataplanes.fleet import Fleet
from controllers.missioncontrol.dataplanes.member import Member
from controllers.missioncontrol.dataplanes.status import Observed, decide_status
from controllers.missioncontrol.identity import FIELD_MANAGER
from controllers.runtime.events import EventRecorder, EventType
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter
from missioncontrol.api.names import Condition, EventReason, Finalizer
from missioncontrol.api.resources import STORED_DATA_PLANES
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Object, Secret

CONTACT_SECONDS = 10.0


class DataPlanes:
    """Reconciles DataPlanes in the control plane."""

    def __init__(
        self,
        client: Client,
        fleet: Fleet,
        planes: Informer[Object],
        secrets: Informer[Secret],
        recorder: EventRecorder,
        *,
        system_namespace: str,
        users: Callable[[str], Sequence[str]],
        changed: Callable[[str], None],
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._planes = planes
        self._secrets = secrets
        self._recorder = recorder
        self._namespace = system_namespace
        self._users = users
        self._changed = changed

    async def reconcile(self, key: Key) -> Outcome:
        """Let a plane be what its DataPlane says, and tell how it is."""
        stored = self._planes.get("", key.name)
        if stored is None:
            if await self._fleet.leave(key.name):
                self._changed(key.name)
            return Done()
        deleting = stored.metadata.deletion_timestamp is not None
        users = self._users(key.name)
        if deleting and not users:
            await self._fleet.leave(key.name)
            return await self._release(stored)
        if not deleting and Finalizer.MISSION_CONTROL not in stored.metadata.finalizers:
            await self._set_finalizers(stored, (*stored.metadata.finalizers, Finalizer.MISSION_CONTROL))
            return RequeueAfter(0.01)
        name = str((stored.spec.get("kubeconfigSecretRef") or {}).get("name") or "")
        secret = self._secrets.get(self._namespace, name)
        credentials = read_credentials(stored.spec, secret, namespace=self._namespace)
        # clusters that were placed through it must not be looked for, and made again, somewhere else
        cluster_id = str(stored.status.get("clusterID") or "") if users else ""
        identity = Identity(key.name, (stored.metadata.creation_timestamp, key.name), cluster_id)
        member = await self._connect(identity, credentials)
        await self._tell(stored, member, credentials, users=users, deleting=deleting)
        return RequeueAfter(CONTACT_SECONDS) if member is not None else Done()

    async def _connect(self, identity: Identity, credentials: Credentials | Problem) -> Member | None:
        name = identity.name
        member = self._fleet.get(name)
        if isinstance(credentials, Problem):
            if await self._fleet.leave(name, hopeless=True):
                self._changed(name)
            return None
        if member is not None and member.fingerprint == credentials.fingerprint:
            member.identity = identity
            return member
        await self._fleet.leave(name)
        return self._fleet.join(identity, credentials)

    async def _tell(
        self,
        stored: Object,
        member: Member | None,
        credentials: Credentials | Problem,
        *,
        users: Sequence[str],
        deleting: bool,
    ) -> None:
        problem = credentials if isinstance(credentials, Problem) else None
        if member is None:
            observed = Observed(problem=problem, clusters=users, deleting=deleting)
        else:
            health = member.cluster.health
            observed = Observed(
                available=health.available,
                away_since=health.since if health.available is False else None,
                last_contact=health.last_contact,
                version=health.version,
                server=member.cluster.client.config.server,
                message=health.message,
                finding=member.finding,
                unsynced=member.cluster.unsynced(),
                clusters=users,
                deleting=deleting,
            )
        now = datetime.now(UTC)
        status = decide_status(observed, stored.status, generation=stored.metadata.generation, now=now)
        if status == stored.status:
            return
        body = {"metadata": {"name": stored.metadata.name}, "status": status}
        await self._client.apply(STORED_DATA_PLANES, body, field_manager=FIELD_MANAGER, subresource="status")
        self._announce(stored, _ready(stored.status), _ready(status), str(status["message"]))

    def _announce(self, stored: Object, before: str, after: str, message: str) -> None:
        if before == after:
            return
        kind: EventType = "Normal"
        reason = EventReason.DATA_PLANE_BACK if before == "False" else EventReason.DATA_PLANE_JOINED
        if after != "True":
            if after != "False":
                return
            kind, reason = "Warning", EventReason.DATA_PLANE_AWAY
        self._recorder.event(STORED_DATA_PLANES, stored.metadata, reason=str(reason), note=message, type=kind)

    async def _release(self, stored: Object) -> Outcome:
        if Finalizer.MISSION_CONTROL in stored.metadata.finalizers:
            rest = tuple(each for each in stored.metadata.finalizers if each != Finalizer.MISSION_CONTROL)
            await self._set_finalizers(stored, rest)
        return Done("has left: no cluster uses it")

    async def _set_finalizers(self, stored: Object, finalizers: Sequence[str]) -> None:
        metadata = {"resourceVersion": stored.metadata.resource_version, "finalizers": list(finalizers)}
        await self._client.merge_patch(
            STORED_DATA_PLANES, stored.metadata.name, {"metadata": metadata}, field_manager=FIELD_MANAGER
        )


def _ready(status: dict[str, object]) -> str:
    conditions = status.get("conditions")
    for each in conditions if isinstance(conditions, list) else ():
        if each.get("type") == Condition.READY:
            return str(each.get("status"))
    return ""
