"""Configuration for single nodes: files that an init container merges over the common configuration.

Either the user brings a ConfigMap with keys `<pod>_cassandra.yaml`, or, where nodes have few tokens, there is
one of ours with their initial tokens. Those count only when a node starts for the first time; so what a pod
was told once stays, and a datacenter that grows restarts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.config_maps import config_map
from controllers.k8ssandra.hashing import fingerprint
from controllers.k8ssandra.tokens import initial_tokens, node_config_of
from missioncontrol.api.names import Annotation, Label, LabelValue, cleanup_for_kubernetes
from missioncontrol.validation.values import at, text

Json = dict[str, Any]

NAME: Final = "per-node-config"
_IMAGE: Final = "docker.io/k8ssandra/k8ssandra-client:v0.8.12"
_FILE: Final = "_cassandra.yaml"
_TOKENS: Final = re.compile(r"^initial_token:\s*(.+)$", re.MULTILINE)
# For each file of this pod: merge it over the file of the same name in the common configuration
_MERGE: Final = (
    "if [ -e /per-node-config/${POD_NAME}_* ]; then "
    "for src in /per-node-config/${POD_NAME}_*; do "
    'dest=/config/`echo $src | cut -d "_" -f2`; '
    "yq ea '. as $item ireduce ({}; . * $item)' -i $dest $src && echo merged $src into $dest || exit 1; "
    "done; "
    "echo done merging per-node config for pod $POD_NAME; "
    "else "
    "echo no per-node config found for pod $POD_NAME; "
    "fi"
)


def config_map_name(cluster: Cluster, datacenter: DatacenterSpec) -> str:
    """The ConfigMap that is made where the user brings none."""
    return cleanup_for_kubernetes(f"{cluster.cluster_name}-{datacenter.ring_name}-{NAME}")


def render(cluster: Cluster, datacenter: DatacenterSpec, told: Mapping[str, str]) -> Json | None:
    """The ConfigMap with initial tokens, None where nodes choose theirs; `told` is what it holds now."""
    tokens = initial_tokens(cluster).get(datacenter.name)
    if not tokens:
        return None
    data = {pod + _FILE: f"\ninitial_token: {','.join(map(str, each))}" for pod, each in tokens.items()}
    taken = {token for text in told.values() for token in _tokens_in(text)}
    new = {
        key: value for key, value in data.items() if key not in told and taken.isdisjoint(_tokens_in(value))
    }
    labels = {
        Label.APP_NAME: LabelValue.K8SSANDRA_OPERATOR,
        Label.APP_PART_OF: LabelValue.K8SSANDRA,
        Label.APP_COMPONENT: LabelValue.CASSANDRA,
    }
    return config_map(cluster, config_map_name(cluster, datacenter), {**told, **new}, labels)


def mounted(
    template: Json, cluster: Cluster, datacenter: DatacenterSpec, given: Mapping[str, str] | None
) -> Json:
    """A pod template with the init container, where there is configuration for single nodes.

    `given` is the content of the user's ConfigMap; pods are replaced when it changes.
    """
    name = node_config_of(datacenter)
    if name:
        digest = fingerprint(given)
    elif initial_tokens(cluster).get(datacenter.name):
        # the number of tokens never changes, and with it this; what new nodes are told concerns no old one
        name, digest = config_map_name(cluster, datacenter), fingerprint([NAME, _number(datacenter)])
    else:
        return template
    metadata, spec = template["metadata"], template["spec"]
    annotations = {**metadata.get("annotations", {}), Annotation.PER_NODE_CONFIG_HASH: digest}
    containers = list(spec.get("initContainers", ()))
    if all(each.get("name") != "server-config-init" for each in containers):
        # the operator of the datacenter completes it; it is named to say what comes first
        containers.append({"name": "server-config-init"})
    return {
        "metadata": {**metadata, "annotations": annotations},
        "spec": {
            **spec,
            "initContainers": [*containers, _container(datacenter)],
            "volumes": [*spec.get("volumes", ()), {"name": NAME, "configMap": {"name": name}}],
        },
    }


def _container(datacenter: DatacenterSpec) -> Json:
    return {
        "name": NAME,
        "image": text(datacenter.options.get("perNodeConfigInitContainerImage")) or _IMAGE,
        "command": ["sh", "-c", _MERGE],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        },
        "volumeMounts": [
            {"name": "server-config", "mountPath": "/config"},
            {"name": NAME, "mountPath": "/per-node-config"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _number(datacenter: DatacenterSpec) -> str:
    return str(at(datacenter.options, "config", "cassandraYaml", "num_tokens"))


def _tokens_in(content: str) -> list[str]:
    return [token.strip() for line in _TOKENS.findall(content) for token in line.split(",")]
