"""The StatefulSet of a rack."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import Datacenter, RackPlan
from controllers.cassandra.render.hashing import with_hash
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.metadata import rendered
from controllers.cassandra.render.pod import pod_template
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import STATEFUL_SETS

Json = dict[str, Any]

MIN_READY_SECONDS = 5
DATA_VOLUME = "server-data"


def statefulset(datacenter: Datacenter, rack: RackPlan, images: ImageConfig, *, replicas: int) -> Json:
    """The StatefulSet with its hash annotation, which does not depend on `replicas`."""
    # says without a look into the template which configuration the pods have, or are to have
    notes = {Annotation.CONFIG_HASH: datacenter.config_hash} if datacenter.spec.config_secret else {}
    labels = datacenter.rack_labels(rack.name)
    body = rendered(STATEFUL_SETS, rack.statefulset, datacenter, labels, annotations=notes)
    seconds = datacenter.spec.min_ready_seconds
    spec: Json = {
        "replicas": replicas,
        "serviceName": datacenter.all_pods_service,
        "podManagementPolicy": "Parallel",
        "minReadySeconds": MIN_READY_SECONDS if seconds is None else seconds,
        "selector": {"matchLabels": datacenter.rack_labels(rack.name)},
        "template": pod_template(datacenter, rack, images),
        "volumeClaimTemplates": _claims(datacenter, rack),
    }
    rolling = _rolling_update(datacenter, replicas)
    if not rolling:
        return with_hash({**body, "spec": spec})
    spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    # a canary of so many pods is the same wish for any number of them, though the partition differs
    canary = {"canary": datacenter.spec.canary_upgrade_count or 0} if datacenter.spec.canary_upgrade else {}
    wish = {"type": "RollingUpdate", "rollingUpdate": {**rolling, "partition": 0, **canary}}
    return with_hash({**body, "spec": spec}, intent={**body, "spec": {**spec, "updateStrategy": wish}})


def _rolling_update(datacenter: Datacenter, replicas: int) -> Json:
    """How many pods at once, and how many of the rack at all."""
    rolling: Json = {}
    if datacenter.spec.max_unavailable is not None:
        rolling |= {"maxUnavailable": datacenter.spec.max_unavailable, "partition": 0}
    if datacenter.spec.canary_upgrade:
        rolling["partition"] = canary_partition(datacenter, replicas)
    return rolling


def canary_partition(datacenter: Datacenter, replicas: int) -> int:
    """The ordinal from which on pods get the change; without a count, no pod of the rack gets it."""
    count = datacenter.spec.canary_upgrade_count or 0
    return replicas - count if 0 < count <= replicas else replicas


def keep_immutable(desired: Json, live: Json) -> Json:
    """The desired StatefulSet for an update: immutable fields and the mark of the last restart stay."""
    spec = {**desired["spec"]}
    for field in ("selector", "serviceName", "podManagementPolicy"):
        if field in live["spec"]:
            spec[field] = live["spec"][field]
    spec["volumeClaimTemplates"] = [
        {key: value for key, value in claim.items() if key != "status"}
        for claim in live["spec"].get("volumeClaimTemplates", [])
    ]
    if _partition(live) and "updateStrategy" not in spec:
        # a cancelled restart left the rack half-way: what is different now is meant for all of its pods
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    live_template = live["spec"].get("template", {}).get("metadata", {}).get("annotations") or {}
    restarted_at = live_template.get(Annotation.RESTARTED_AT)
    if restarted_at:
        template = spec["template"]
        notes = {**template["metadata"].get("annotations", {}), Annotation.RESTARTED_AT: restarted_at}
        spec["template"] = {**template, "metadata": {**template["metadata"], "annotations": notes}}
    return {**desired, "spec": spec}


def _partition(live: Json) -> int:
    rolling = (live["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def _claims(datacenter: Datacenter, rack: RackPlan) -> list[Json]:
    storage = datacenter.spec.storage_config
    wanted = [(DATA_VOLUME, storage.cassandra_data_volume_claim_spec or {})]
    wanted += [(volume.name, volume.pvc_spec) for volume in storage.additional_volumes if volume.pvc_spec]
    metadata: Json = {"labels": datacenter.labels(datacenter.rack_labels(rack.name))}
    if datacenter.annotations:
        metadata["annotations"] = datacenter.annotations
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, **metadata},
            "spec": dict(spec),
        }
        for name, spec in wanted
    ]
