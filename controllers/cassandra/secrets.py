"""Secrets that users write and this operator reads.

A Secret that is used is labelled and says by whom, so that a change of it wakes the operator.
"""

from __future__ import annotations

import base64
from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.secret import watched_by, watchers
from missioncontrol.api.names import Annotation, Component, Label, LabelValue
from missioncontrol.api.resources import SECRETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

MANAGER = Component.CASS_OPERATOR.value


class IncompleteSecret(Exception):
    """A Secret is not there, or does not have what it is needed for."""


async def read_secret(client: Client, datacenter: Datacenter, name: str, *, field: str) -> dict[str, Any]:
    """A Secret that a field of the spec names, watched from now on."""
    try:
        found = await client.get(SECRETS, name, namespace=datacenter.namespace)
    except NotFound:
        raise IncompleteSecret(f"{field}: the Secret {name} does not exist; create it") from None
    await watch_secret(client, datacenter, name, found)
    return found


async def watch_secret(client: Client, datacenter: Datacenter, name: str, found: dict[str, Any]) -> None:
    """Mark the Secret as used by the datacenter, unless it is marked so."""
    metadata = found.get("metadata", {})
    annotation = (metadata.get("annotations") or {}).get(Annotation.WATCHED_BY, "")
    watched = (metadata.get("labels") or {}).get(Label.WATCHED) == LabelValue.TRUE
    if watched and f"{datacenter.namespace}/{datacenter.name}" in watchers(annotation):
        return
    patch = {
        "metadata": {
            "labels": {Label.WATCHED: LabelValue.TRUE},
            "annotations": {Annotation.WATCHED_BY: watched_by(annotation, datacenter)},
        }
    }
    await client.merge_patch(SECRETS, name, patch, namespace=datacenter.namespace, field_manager=MANAGER)


def bytes_of(secret: dict[str, Any], key: str) -> bytes:
    """What stands under a key of a Secret."""
    encoded = (secret.get("data") or {}).get(key)
    if not encoded:
        raise IncompleteSecret(f"the Secret {secret['metadata']['name']} has no key {key!r}")
    return base64.b64decode(encoded)


def text_of(secret: dict[str, Any], key: str) -> str:
    """What stands under a key of a Secret, as text."""
    try:
        return bytes_of(secret, key).decode()
    except UnicodeDecodeError as error:
        name = secret["metadata"]["name"]
        raise IncompleteSecret(f"the key {key!r} of the Secret {name} is not UTF-8") from error
