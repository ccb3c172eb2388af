"""The key store of datacenters whose configuration names the one that older operators made.

A CA for each datacenter, and one certificate that all its nodes share, in a Java key store that is also their
trust store; its password is the name of the datacenter. Both Secrets outlive the datacenter, and are made
once: nothing rotates them.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.metadata import rendered
from controllers.cassandra.render.secret import watched_by
from controllers.cassandra.secrets import MANAGER, IncompleteSecret, bytes_of, watch_secret
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.api.resources import SECRETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.pki.ca import COMMON_NAME_LIMIT, Authority, CertificateError, Usage, issue, new_ca
from missioncontrol.pki.jks import key_entry, key_store, trusted_entry

LIFETIME: Final = timedelta(days=3650)
KEY_STORE: Final = "node-keystore.jks"

Json = dict[str, Any]


async def create_keystores(client: Client, datacenter: Datacenter) -> None:
    """Make what is missing of both Secrets."""
    now = datetime.now(UTC)
    name = f"{datacenter.ca_secret}.{datacenter.namespace}.svc"
    made = new_ca(name[:COMMON_NAME_LIMIT], now=now, lifetime=LIFETIME)
    stored = await _create(client, datacenter, _ca_secret(datacenter, made))
    if await _known(client, datacenter, datacenter.keystore_secret) is not None:
        return  # made by an operator before us, whose CA need not be one that we could sign with
    authority = Authority(bytes_of(stored, "cert"), bytes_of(stored, "key"))
    try:
        content = _node_store(datacenter, authority, now)
    except CertificateError as error:
        raise IncompleteSecret(
            f"the Secret {datacenter.ca_secret} holds no CA that can sign ({error}); "
            "delete it, and another one is made"
        ) from error
    await _create(client, datacenter, _store_secret(datacenter, content))


def _node_store(datacenter: Datacenter, authority: Authority, now: datetime) -> bytes:
    name = f"{datacenter.name}.{datacenter.namespace}.cassdc"
    leaf = issue(
        authority,
        common_name=name[:COMMON_NAME_LIMIT],
        # a node is the client of the others as well
        usages=(Usage.SERVER, Usage.CLIENT),
        now=now,
        lifetime=LIFETIME,
        dns_names=(name,),
    )
    entries = (key_entry(name, leaf, authority.cert_pem), trusted_entry("ca", authority.cert_pem))
    return key_store(entries, datacenter.name, now=now)


def _ca_secret(datacenter: Datacenter, authority: Authority) -> Json:
    data = {"cert": authority.cert_pem, "key": authority.key_pem}
    return _secret(datacenter, datacenter.ca_secret, datacenter.datacenter_labels, data)


def _store_secret(datacenter: Datacenter, content: bytes) -> Json:
    return _secret(datacenter, datacenter.keystore_secret, {}, {KEY_STORE: content})


def _secret(datacenter: Datacenter, name: str, identity: dict[str, str], data: dict[str, bytes]) -> Json:
    body = rendered(
        SECRETS,
        name,
        datacenter,
        {**identity, Label.WATCHED: LabelValue.TRUE},
        annotations={Annotation.WATCHED_BY: watched_by("", datacenter)},
        owned=False,
    )
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {**body, "type": "Opaque", "data": encoded}


async def _create(client: Client, datacenter: Datacenter, body: Json) -> Json:
    """Make a Secret, or give the one that is there."""
    known = await _known(client, datacenter, body["metadata"]["name"])
    if known is not None:
        return known
    return await client.create(SECRETS, body, namespace=datacenter.namespace, field_manager=MANAGER)


async def _known(client: Client, datacenter: Datacenter, name: str) -> Json | None:
    """A Secret that is there, watched from now on."""
    try:
        found = await client.get(SECRETS, name, namespace=datacenter.namespace)
    except NotFound:
        return None
    await watch_secret(client, datacenter, name, found)
    return found
