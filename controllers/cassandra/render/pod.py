"""The pod template of a rack: the user's `podTemplateSpec`, completed."""

from __future__ import annotations

import copy

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter, RackPlan
from controllers.cassandra.render import containers
from controllers.cassandra.render.affinity import affinity
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.init_containers import init_containers
from controllers.cassandra.render.management_auth import with_certificates
from controllers.cassandra.render.parts import Json, merged
from missioncontrol.api.names import Label, NodeState

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
    kept = {key: value for key, value in given.items() if key != "annotations"}
    return {**kept, "labels": labels, **({"annotations": annotations} if annotations else {})}


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
    logs = not declared.disable_system_logger_sidecar or any(
        container["name"] == containers.LOGGER_CONTAINER for container in spec.get("containers") or ()
    )
    spec["volumes"] = _volumes(spec.get("volumes") or [], datacenter, logs=logs)
    spec["initContainers"] = init_containers(spec.get("initContainers") or [], datacenter, rack, images)
    spec["containers"] = _containers(spec.get("containers") or [], datacenter, images)
    return with_certificates(spec, datacenter)


def _containers(given: list[Json], datacenter: Datacenter, images: ImageConfig) -> list[Json]:
    """The user's order is kept; what the user did not list comes after."""
    logging = not datacenter.spec.disable_system_logger_sidecar
    made: list[Json] = []
    for container in given:
        if container["name"] == CASSANDRA_CONTAINER:
            made.append(containers.cassandra_container(container, datacenter, images))
        elif container["name"] == containers.LOGGER_CONTAINER:
            made.append(containers.logger_container(container, datacenter, images))
        else:
            made.append(container)
    names = {container["name"] for container in made}
    if CASSANDRA_CONTAINER not in names:
        made.append(containers.cassandra_container({}, datacenter, images))
    if logging and containers.LOGGER_CONTAINER not in names:
        made.append(containers.logger_container({}, datacenter, images))
    return made


def _volumes(given: list[Json], datacenter: Datacenter, *, logs: bool) -> list[Json]:
    names = ["server-config", "server-logs", "tmp"]
    if datacenter.read_only_root:
        names.append("etc-cassandra")
        if datacenter.is_dse:
            names.append("dse-conf")
            if not datacenter.uses_client_builder:
                names += ["spark-conf", "collectd-conf"]
    if datacenter.uses_client_builder:
        names.append("server-config-base")
    if logs:
        names.append("vector-lib")
    additional = datacenter.spec.storage_config.additional_volumes
    defaults: list[Json] = [{"name": name, "emptyDir": {}} for name in names]
    if datacenter.has_legacy_keystore:
        secret = {"secretName": datacenter.keystore_secret}
        defaults.append({"name": containers.ENCRYPTION_VOLUME, "secret": secret})
    defaults += [{"name": v.name, **v.volume_source} for v in additional if v.volume_source is not None]
    claimed = {volume.name for volume in additional if volume.volume_source is None}
    return [volume for volume in merged(given, defaults) if volume["name"] not in claimed]
