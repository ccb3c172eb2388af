"""Secrets and roles: the superuser's Secret is made once; what stands in Secrets goes into Cassandra.

A Secret that is used is labelled and says by whom, so that a new password wakes the operator.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

from controllers.cassandra.actions import Event, WriteRoles
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.render.secret import PASSWORD_BYTES, superuser_secret, watchers
from controllers.cassandra.secrets import MANAGER, text_of, watch_secret
from missioncontrol.api.names import Annotation, EventReason, Label
from missioncontrol.api.resources import SECRETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, NotFound


class UserWriter:
    """The users of one datacenter."""

    def __init__(
        self,
        client: Client,
        datacenter: Datacenter,
        api: ManagementApi,
        memory: DatacenterMemory,
        tell: Callable[..., None],
    ) -> None:
        self._client = client
        self._dc = datacenter
        self._api = api
        self._memory = memory
        self._tell = tell

    async def create_superuser(self) -> None:
        name = self._dc.superuser_secret
        password = base64.urlsafe_b64encode(secrets.token_bytes(PASSWORD_BYTES)).decode().rstrip("=")
        body = superuser_secret(self._dc, password=password)
        try:
            await self._client.create(SECRETS, body, namespace=self._dc.namespace, field_manager=MANAGER)
        except AlreadyExists:
            # one that we do not watch yet: of another datacenter of the cluster, or of a user
            found = await self._client.get(SECRETS, name, namespace=self._dc.namespace)
            await watch_secret(self._client, self._dc, name, found)

    async def forget(self, names: tuple[str, ...]) -> None:
        """These Secrets stay, but are no longer watched for the datacenter."""
        for name in names:
            try:
                found = await self._client.get(SECRETS, name, namespace=self._dc.namespace)
            except NotFound:
                continue
            metadata = found["metadata"]
            before = watchers((metadata.get("annotations") or {}).get(Annotation.WATCHED_BY, ""))
            rest = [each for each in before if each != f"{self._dc.namespace}/{self._dc.name}"]
            if rest == before:
                continue
            left = json.dumps(rest, separators=(",", ":")) if rest else None
            patch: dict[str, Any] = {
                "resourceVersion": metadata["resourceVersion"],
                "annotations": {Annotation.WATCHED_BY: left},
            }
            if not rest:
                patch["labels"] = {Label.WATCHED: None}
            await self._client.merge_patch(
                SECRETS, name, {"metadata": patch}, namespace=self._dc.namespace, field_manager=MANAGER
            )

    async def write_roles(self, action: WriteRoles) -> bool:
        roles, versions = [], []
        for name, superuser in action.secrets:
            found = await self._client.get(SECRETS, name, namespace=self._dc.namespace)
            await watch_secret(self._client, self._dc, name, found)
            roles.append((text_of(found, "username"), text_of(found, "password"), superuser))
            versions.append((name, found["metadata"]["resourceVersion"]))
        digest = hashlib.sha256(repr(roles).encode()).hexdigest()
        if digest != self._memory.users_digest:
            for username, password, superuser in roles:
                await self._api.write_role(
                    action.pod,
                    port=self._dc.management_port,
                    name=username,
                    password=password,
                    superuser=superuser,
                )
            self._tell(
                Event(EventReason.CREATED_USERS, "Created users"),
                Event(EventReason.CREATED_SUPERUSER, "Created superuser"),
            )
        written = digest != self._memory.users_digest
        self._memory.users_digest = digest
        self._memory.users_written = tuple(versions)
        return written
