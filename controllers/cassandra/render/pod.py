"""The pod template of a rack: the user's `podTemplateSpec`, completed."""

from __future__ import annotations

import copy
from typing import Any

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter, RackPlan
from controllers.cassandra.render import containers
from controllers.cassandra.render.affinity import affinity
from controllers.cassandra.render.images import ImageConfig
from missioncontrol.api.names import Label, NodeState

Json = dict[str, Any]

TERMINATION_GRACE = 120
CASSANDRA_USER = 999


def pod_template(datacenter: Datacenter, rack: RackPlan, images: ImageConfig) -> Json:
    """The template of the rack's pods."""
    base = copy.deepcopy(datacenter.spec.pod_template_spec or {})
    return {
        "metadata": _metadata(base.get("metadata") or {}, datacenter, rack),
        "spec": _pod_spec(base.get("spec") or {}, datacenter, rack, images),
    }


def _metadata(given: Json, datacenter: Datacenter, rack: RackPlan) -> Json:
    labels = {
        **(given.get("labels") or {}),
        **datacenter.labels(datacenter.rack_labels(rack.name)),
        Label.NODE_STATE: NodeState.READY_TO_START.value,
    }
    annotations = {**(given.get("annotations") or {}), **datacenter.annotations}
    return {"labels": labels, "annotations": annotations} if annotations else {"labels": labels}


def _pod_spec(given: Json, datacenter: Datacenter, rack: RackPlan, images: ImageConfig) -> Json:
    spec = given
    declared = datacenter.spec
    account = declared.service_account_name or declared.service_account
    if account:
        spec["serviceAccountName"] = account
    if datacenter.uses_host_network:
        spec |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    spec.setdefault("terminationGracePeriodSeconds", TERMINATION_GRACE)
    if spec.get("securityContext") is None:
        user = {"runAsUser": CASSANDRA_USER, "runAsGroup": CASSANDRA_USER, "fsGroup": CASSANDRA_USER}
        spec["securityContext"] = {**user, "runAsNonRoot": True}
    spec.pop("tolerations", None)
    if declared.tolerations:
        spec["tolerations"] = list(declared.tolerations)
    if declared.node_selector:
        spec["nodeSelector"] = dict(declared.node_selector)
    pull_secrets = [*(spec.get("imagePullSecrets") or ()), *images.pull_secrets(datacenter)]
    if pull_secrets:
        spec["imagePullSecrets"] = pull_secrets
    spec["affinity"] = affinity(datacenter, rack.rack, spec.get("affinity") or {})
    spec["volumes"] = _volumes(spec.get("volumes") or [], datacenter)
    spec["initContainers"] = _init_containers(spec.get("initContainers") or [], datacenter, rack, images)
    spec["containers"] = _containers(spec.get("containers") or [], datacenter, images)
    return spec


def _containers(given: list[Json], datacenter: Datacenter, images: ImageConfig) -> list[Json]:
    """The user's order is kept; what the user did not list comes after."""
    logging = not datacenter.spec.disable_system_logger_sidecar
    made: list[Json] = []
    for container in given:
        if container["name"] == CASSANDRA_CONTAINER:
            made.append(containers.cassandra_container(container, datacenter, images))
        elif container["name"] == containers.LOGGER_CONTAINER and logging:
            made.append(containers.logger_container(container, datacenter, images))
        else:
            made.append(container)
    names = {container["name"] for container in made}
    if CASSANDRA_CONTAINER not in names:
        made.append(containers.cassandra_container({}, datacenter, images))
    if logging and containers.LOGGER_CONTAINER not in names:
        made.append(containers.logger_container({}, datacenter, images))
    return made


def _init_containers(
    given: list[Json], datacenter: Datacenter, rack: RackPlan, images: ImageConfig
) -> list[Json]:
    base_name, config_name = containers.BASE_CONFIG_CONTAINER, containers.CONFIG_CONTAINER
    made: dict[str, Json] = {container["name"]: container for container in given}
    order = [container["name"] for container in given]
    if config_name not in order:
        order.append(config_name)
    made[config_name] = containers.config_container(made.get(config_name, {}), datacenter, rack.name, images)
    if datacenter.uses_client_builder or (datacenter.read_only_root and datacenter.is_dse):
        if base_name not in order:
            # DSE's copy goes into the builder's own folder, so that it has to be the very first
            order.insert(order.index(config_name) if datacenter.uses_client_builder else 0, base_name)
        made[base_name] = containers.base_config_container(made.get(base_name, {}), datacenter, images)
    return [containers.secured_init(made[name], datacenter) for name in order]


def _volumes(given: list[Json], datacenter: Datacenter) -> list[Json]:
    names = ["server-config", "server-logs", "tmp"]
    if datacenter.read_only_root:
        names.append("etc-cassandra")
        if datacenter.is_dse:
            names.append("dse-conf")
            if not datacenter.uses_client_builder:
                names += ["spark-conf", "collectd-conf"]
    if datacenter.uses_client_builder:
        names.append("server-config-base")
    if not datacenter.spec.disable_system_logger_sidecar:
        names.append("vector-lib")
    additional = datacenter.spec.storage_config.additional_volumes
    defaults: list[Json] = [{"name": name, "emptyDir": {}} for name in names]
    defaults += [{"name": v.name, **v.volume_source} for v in additional if v.volume_source is not None]
    claimed = {volume.name for volume in additional if volume.pvc_spec is not None}
    return [volume for volume in containers.merged(given, defaults) if volume["name"] not in claimed]
