"""From a DataPlane and its Secret to a connection, or to a sentence: what is wrong, and what helps."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from missioncontrol.api.names import Reason
from missioncontrol.kube.config import ClusterConfig, KubeconfigError, from_kubeconfig
from missioncontrol.kube.views import Secret

DEFAULT_KEY = "kubeconfig"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A usable kubeconfig, and a fingerprint of everything that it was made from."""

    config: ClusterConfig
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no connection to try. The message begins with the field at fault."""

    reason: Reason
    message: str


def read_credentials(
    spec: Mapping[str, Any], secret: Secret | None, *, namespace: str
) -> Credentials | Problem:
    """The connection that a DataPlane's spec and its Secret describe."""
    reference = spec.get("kubeconfigSecretRef") or {}
    name, key = str(reference.get("name") or ""), str(reference.get("key") or DEFAULT_KEY)
    if secret is None:
        return Problem(
            Reason.SECRET_NOT_FOUND,
            f"spec.kubeconfigSecretRef.name: there is no Secret {name} in the namespace {namespace}: "
            f"create it with a kubeconfig under the key {key}",
        )
    encoded = secret.data.get(key)
    if not encoded:
        present = ", ".join(sorted(secret.data)) or "none"
        return Problem(
            Reason.SECRET_NOT_FOUND,
            f"spec.kubeconfigSecretRef.key: the Secret {namespace}/{name} has no key {key} (its keys: "
            f"{present}): add it or name another",
        )
    context = str(spec.get("context") or "")
    where = f"Secret {namespace}/{name}, key {key}"
    try:
        raw = base64.b64decode(encoded, validate=True)
        config = from_kubeconfig(raw, context=context or None, only_inline=True)
    except binascii.Error:
        return Problem(Reason.KUBECONFIG_INVALID, f"data[{key}]: is not base64 ({where})")
    except KubeconfigError as error:
        field = error.field or f"data[{key}]"
        # a context that is not in the kubeconfig is as likely a slip in the spec as in the Secret
        prefix = "spec.context: " if context and error.field == "contexts" else ""
        return Problem(Reason.KUBECONFIG_INVALID, f"{prefix}{field}: {error.message} ({where})")
    digest = hashlib.sha256(raw + b"\0" + context.encode()).hexdigest()
    return Credentials(config, digest)
