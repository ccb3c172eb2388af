"""The StatefulSet of a rack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controllers.cassandra.datacenter import Datacenter, RackPlan
from controllers.cassandra.render.hashing import intent_hash, with_hash
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


def in_steps(body: Json, partition: int) -> Json:
    """The same StatefulSet, its change held back from the pods below an ordinal until they may follow."""
    metadata, strategy = body["metadata"], body["spec"].get("updateStrategy") or {}
    rolling = {**(strategy.get("rollingUpdate") or {}), "partition": partition}
    annotations = {**metadata.get("annotations", {}), Annotation.ROLLING: "true"}
    return {
        **body,
        "metadata": {**metadata, "annotations": annotations},
        "spec": {**body["spec"], "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
    }


def with_larger_claims(live: Json, desired: Json, sizes: Mapping[str, str]) -> Json:
    """The live StatefulSet, to be made again, with larger claims and nothing else that is different.

    It gets the hash of what is desired only if that was all that was different.
    """
    metadata = live["metadata"]
    kept = {
        key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences") if key in metadata
    }
    annotations = dict(metadata.get("annotations") or {})
    claims = [_larger(claim, sizes) for claim in live["spec"].get("volumeClaimTemplates", [])]
    old = {claim["metadata"]["name"]: claim["spec"] for claim in live["spec"].get("volumeClaimTemplates", [])}
    before = [
        _larger(claim, {claim["metadata"]["name"]: _size(old.get(claim["metadata"]["name"]))})
        for claim in desired["spec"]["volumeClaimTemplates"]
    ]
    key = Annotation.RESOURCE_HASH
    rest = {name: value for name, value in desired["metadata"]["annotations"].items() if name != key}
    bare = {name: value for name, value in desired["metadata"].items() if name != "annotations"}
    same = {
        **desired,
        "metadata": bare | ({"annotations": rest} if rest else {}),
        "spec": {**desired["spec"], "volumeClaimTemplates": before},
    }
    if annotations.get(key) == intent_hash(same):
        annotations[key] = desired["metadata"]["annotations"][key]
    return {
        "apiVersion": STATEFUL_SETS.api_version,
        "kind": STATEFUL_SETS.kind,
        "metadata": {**kept, "annotations": annotations},
        "spec": {**live["spec"], "volumeClaimTemplates": claims},
    }


def _size(spec: Json | None) -> str:
    return str((((spec or {}).get("resources") or {}).get("requests") or {}).get("storage", ""))


def _larger(claim: Json, sizes: Mapping[str, str]) -> Json:
    spec, size = claim["spec"], sizes.get(claim["metadata"]["name"])
    if not size:
        return {key: value for key, value in claim.items() if key != "status"}
    resources = spec.get("resources") or {}
    requests = {**(resources.get("requests") or {}), "storage": size}
    larger = {**claim, "spec": {**spec, "resources": {**resources, "requests": requests}}}
    return {key: value for key, value in larger.items() if key != "status"}


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
