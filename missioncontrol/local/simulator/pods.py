"""What a pod says about the Cassandra node in it: cluster, datacenter, rack, version, disk, seed services.

cass-operator hands the configuration to the config builder in an environment variable; a real node gets it
from there, so the simulated one does. Labels are only the second choice: they hold cleaned names.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from missioncontrol.api.names import (
    Label,
    additional_seed_service_name,
    seed_service_name,
)
from missioncontrol.local.simulator.views import Pod

CASSANDRA = "cassandra"
DATA_VOLUME = "server-data"
DEFAULT_TOKENS = 16
DEFAULT_VERSION = "5.0.4"


@dataclass(frozen=True, slots=True)
class Description:
    """The Cassandra node that a pod wants to be."""

    cluster: str
    datacenter: str
    rack: str
    version: str
    num_tokens: int
    seeds: tuple[str, ...]
    """Services (or addresses) in which the seeds are looked for."""


def is_cassandra(pod: Pod) -> bool:
    return any(c.name == CASSANDRA for c in pod.spec.containers)


def broken(image: str) -> bool:
    """Whether an image cannot be pulled: those whose name says so."""
    return "broken" in image


def running(pod: Pod) -> bool:
    """Whether every container of the pod can run."""
    return not any(broken(c.image) for c in (*pod.spec.init_containers, *pod.spec.containers))


def claim_name(pod: Pod) -> str | None:
    """The claim that holds the node's data; None when it lives and dies with the pod."""
    claims = {
        v.name: v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim
    }
    return claims.get(DATA_VOLUME) or next(iter(claims.values()), None)


def describe(pod: Pod) -> Description:
    labels = pod.metadata.labels
    config = _config(pod)
    info = _member(config, "cluster-info")
    cluster = str(info.get("name") or labels.get(Label.CLUSTER, ""))
    datacenter = str(_member(config, "datacenter-info").get("name") or labels.get(Label.DATACENTER, ""))
    seeds = tuple(s.strip() for s in str(info.get("seeds") or "").split(",") if s.strip())
    if not seeds and cluster:
        label = labels.get(Label.DATACENTER, datacenter)
        seeds = (seed_service_name(cluster), additional_seed_service_name(cluster, label))
    return Description(
        cluster=cluster,
        datacenter=datacenter,
        rack=labels.get(Label.RACK, "default"),
        version=_variable(pod, "PRODUCT_VERSION") or labels.get(Label.APP_VERSION, DEFAULT_VERSION),
        num_tokens=_tokens(_member(config, "cassandra-yaml").get("num_tokens")),
        seeds=seeds,
    )


def is_address(seed: str) -> bool:
    try:
        ipaddress.ip_address(seed)
    except ValueError:
        return False
    return True


def _config(pod: Pod) -> dict[str, Any]:
    text = _variable(pod, "CONFIG_FILE_DATA")
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _variable(pod: Pod, name: str) -> str:
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return next((value for c in containers if (value := c.variable(name))), "")


def _member(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _tokens(value: object) -> int:
    try:
        number = int(float(str(value)))
    except ValueError:
        return DEFAULT_TOKENS
    return min(max(number, 1), 256)
