"""The Secret of the superuser, for clusters that have no control plane to bring one."""

from __future__ import annotations

import base64
import secrets
import string
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster
from missioncontrol.api.names import Label, LabelValue

_ALPHABET: Final = string.digits + string.ascii_letters + "-"
_LENGTH: Final = 20


def new_password() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def render(cluster: Cluster, *, password: str) -> dict[str, Any]:
    """A Secret that goes away with the cluster."""
    name = cluster.superuser_secret
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": {Label.REPLICATED_BY: LabelValue.K8SSANDRACLUSTER_CONTROLLER, **cluster.owned_labels},
            "ownerReferences": [cluster.owner_reference],
        },
        "type": "Opaque",
        "data": {"username": _encoded(name), "password": _encoded(password)},
    }


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
