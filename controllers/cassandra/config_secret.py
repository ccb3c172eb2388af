"""The configuration, where the user keeps theirs in a Secret: merged with ours into a second Secret.

The pods read the second one. Its hash stands on the datacenter first and is in the pods' template, so that a
change reaches them; it is written before the Secret, so that a crash in between is made up for by the next
pass, which finds the Secret different.
"""

from __future__ import annotations

import base64
import hashlib

import orjson

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.render import cdc
from controllers.cassandra.render.config import render_config
from controllers.cassandra.render.secret import merged_config_secret
from controllers.cassandra.secrets import MANAGER, IncompleteSecret, bytes_of, read_secret
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, SECRETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

FIELD = "spec.configSecret"


async def write_config(client: Client, datacenter: Datacenter, memory: DatacenterMemory) -> None:
    """Bring the merged Secret, and the hash on the datacenter, up to what the user's Secret says."""
    name = datacenter.spec.config_secret or ""
    found = await read_secret(client, datacenter, name, field=FIELD)
    if (found["metadata"].get("annotations") or {}).get(Annotation.CONFIG_DATACENTER) != datacenter.name:
        note = {"metadata": {"annotations": {Annotation.CONFIG_DATACENTER: datacenter.name}}}
        await client.merge_patch(SECRETS, name, note, namespace=datacenter.namespace, field_manager=MANAGER)
    given = _parsed(bytes_of(found, "config"), name)
    faults = [f"{path} {sentence}" for path, sentence in cdc.faults(given, datacenter)]
    if faults:
        raise IncompleteSecret(f"{FIELD}: in 'config' of the Secret {name}: {'; '.join(faults)}")
    text = render_config(datacenter, given)
    stored, exists = await _stored(client, datacenter)
    digest = datacenter.config_hash
    if stored != text.encode() or not digest:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        await client.merge_patch(
            CASSANDRA_DATACENTERS,
            datacenter.name,
            {"metadata": {"annotations": {Annotation.CONFIG_HASH: digest}}},
            namespace=datacenter.namespace,
            field_manager=MANAGER,
        )
    if stored != text.encode() or not exists:
        await client.apply(SECRETS, merged_config_secret(datacenter, text), field_manager=MANAGER)
    memory.config_hash = digest


async def _stored(client: Client, datacenter: Datacenter) -> tuple[bytes, bool]:
    try:
        found = await client.get(SECRETS, datacenter.merged_config_secret, namespace=datacenter.namespace)
    except NotFound:
        return b"", False
    encoded = (found.get("data") or {}).get("config", "")
    return base64.b64decode(encoded), True


def _parsed(content: bytes, name: str) -> dict[str, object]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise IncompleteSecret(f"{FIELD}: 'config' in the Secret {name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise IncompleteSecret(f"{FIELD}: 'config' in the Secret {name} is no JSON object")
    return found
