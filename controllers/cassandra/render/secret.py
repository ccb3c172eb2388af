"""The Secrets that the operator makes: the superuser's, and configurations merged with a user's Secret."""

from __future__ import annotations

import base64
import json
from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.metadata import rendered
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.api.resources import SECRETS

PASSWORD_BYTES = 40


def superuser_secret(datacenter: Datacenter, *, password: str) -> dict[str, Any]:
    """The Secret with a new password. It has no owner: it outlives the datacenter, as its data does."""
    identity = {**datacenter.datacenter_labels, Label.WATCHED: LabelValue.TRUE}
    body = rendered(
        SECRETS,
        datacenter.superuser_secret,
        datacenter,
        identity,
        annotations={Annotation.WATCHED_BY: watched_by("", datacenter)},
        owned=False,
    )
    data = {"username": datacenter.superuser_secret, "password": password}
    return {**body, "type": "Opaque", "stringData": data}


def merged_config_secret(datacenter: Datacenter, config: str) -> dict[str, Any]:
    """The Secret that the pods read their configuration from, where the user's part is in a Secret."""
    identity = {**datacenter.datacenter_labels, Label.WATCHED: LabelValue.TRUE}
    body = rendered(
        SECRETS,
        datacenter.merged_config_secret,
        datacenter,
        identity,
        annotations={Annotation.WATCHED_BY: watched_by("", datacenter)},
    )
    return {**body, "type": "Opaque", "data": {"config": base64.b64encode(config.encode()).decode()}}


def watchers(annotation: str) -> list[str]:
    """The datacenters (``namespace/name``) that use a Secret; what is no list of names counts as none."""
    try:
        found = json.loads(annotation) if annotation else []
    except ValueError:
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def watched_by(annotation: str, datacenter: Datacenter) -> str:
    """The annotation with this datacenter added."""
    known = watchers(annotation)
    own = f"{datacenter.namespace}/{datacenter.name}"
    return json.dumps([*known, own] if own not in known else known, separators=(",", ":"))
