"""Reads the recorded objects of the upstream operator; the environment variable GOLDENS names the folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.budget import pod_disruption_budget
from controllers.cassandra.render.endpoints import endpoint_slices
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.services import services
from controllers.cassandra.render.statefulset import statefulset
from missioncontrol.api.names import Annotation
from missioncontrol.kube.views import Meta, Object

Json = dict[str, Any]

RENDERED = [
    "01-minimal",
    "03-racks3-size7",
    "05-config-40",
    "07-config-50",
    "09-dse",
    "11-hcd",
    "13-multi-per-worker",
    "15-podtemplate",
    "15b-probe-without-handler",
    "17-nodeport",
    "19-logger-image",
    "21-sa-tol-selector",
    "23-additional-seeds",
    "25-ro-rootfs-off",
    "27-server-image",
    "29-cdc",
    "31-fql",
    "33-datacenter-name",
    "35-canary-force-annotations",
    "37-size-lt-racks",
    "39-two-dcs-one-cluster",
]


# what upstream did not make, and why
NOT_RECORDED = {
    "15b-probe-without-handler": ("StatefulSet", "PodDisruptionBudget"),  # refused by the API server
    "35-canary-force-annotations": ("PodDisruptionBudget",),  # switched off by an annotation
    "37-size-lt-racks": ("StatefulSet", "PodDisruptionBudget"),  # refused by the operator
}


def golden_folder(case: str) -> Path:
    """The folder of a case; the test is skipped where the goldens are not at hand."""
    root = os.environ.get("GOLDENS")
    if not root:
        pytest.skip("the environment variable GOLDENS names no folder with recorded objects")
    folder = Path(root) / "cass" / case
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    return folder


def golden_datacenters(case: str) -> list[Datacenter]:
    """The case's inputs, as our operator would read them from an API server."""
    documents = golden_documents(case, "input.yaml")
    return [datacenter_of(each) for each in documents if each["kind"] == "CassandraDatacenter"]


def golden_documents(case: str, name: str) -> list[Json]:
    """The documents of one file of a case."""
    documents = yaml.safe_load_all((golden_folder(case) / name).read_text())
    return [document for document in documents if document]


def datacenter_of(document: Json, *, namespace: str = "golden", uid: str = "") -> Datacenter:
    metadata = document["metadata"]
    meta = Meta(
        name=metadata["name"],
        namespace=metadata.get("namespace", namespace),
        uid=metadata.get("uid", uid or "1b4e28ba-2fa1-41d2-883f-0016d3cca427"),
        annotations=metadata.get("annotations", {}),
        labels=metadata.get("labels", {}),
        generation=metadata.get("generation", 1),
        resource_version=metadata.get("resourceVersion", ""),
    )
    return Datacenter.of(Object(metadata=meta, spec=document["spec"], status=document.get("status", {})))


def golden_objects(case: str) -> dict[tuple[str, str], Json]:
    """What upstream made, by kind and name, without the objects that the operator does not render."""
    skipped = {"CassandraDatacenter", "Secret", "CassandraTask"}
    return {
        (each["kind"], each["metadata"]["name"]): comparable(each)
        for each in golden_documents(case, "objects.yaml")
        if each["kind"] not in skipped
    }


def rendered_objects(datacenter: Datacenter) -> list[Json]:
    """Everything that we render for a datacenter, the Secret aside."""
    images = ImageConfig()
    sets = [statefulset(datacenter, rack, images, replicas=rack.nodes) for rack in datacenter.plan]
    return [*services(datacenter), *endpoint_slices(datacenter), pod_disruption_budget(datacenter), *sets]


def expected_objects(case: str, datacenter: Datacenter) -> list[Json]:
    """What we render, without what upstream did not come to make."""
    missing = NOT_RECORDED.get(case, ())
    return [body for body in rendered_objects(datacenter) if body["kind"] not in missing]


def comparable(body: Json) -> Json:
    """An object without what differs from run to run: hashes, UIDs, addresses, times, status."""
    metadata = {
        key: value for key, value in body["metadata"].items() if key in ("name", "labels", "annotations")
    }
    owners = [
        {k: v for k, v in o.items() if k != "uid"} for o in body["metadata"].get("ownerReferences") or ()
    ]
    metadata["ownerReferences"] = owners
    metadata["annotations"] = _without_hash(metadata.get("annotations"))
    if metadata["name"].endswith("-seed-service"):
        # upstream copies every annotation of the datacenter onto this Service
        own = metadata["annotations"].items()
        metadata["annotations"] = {k: v for k, v in own if not k.startswith(_DATACENTER_ONLY)}
    found = {key: value for key, value in body.items() if key != "status" and value is not None}
    found["metadata"] = metadata
    if found["kind"] == "Service":
        found["spec"] = {k: v for k, v in body["spec"].items() if k not in _ADDRESSES}
    if found["kind"] == "StatefulSet":
        claims = [_comparable_claim(claim) for claim in body["spec"].get("volumeClaimTemplates", [])]
        found["spec"] = _plain_cdc({**body["spec"], "volumeClaimTemplates": claims})
    if found["kind"] == "EndpointSlice":
        found["endpoints"] = [{"addresses": each["addresses"]} for each in body["endpoints"]]
    return found


def _plain_cdc(value: Any) -> Any:
    """Upstream's numbers and switches for the agent of change data capture are slips of formatting."""
    if isinstance(value, dict):
        return {key: _plain_cdc(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain_cdc(each) for each in value]
    return re.sub(r"%!s\((?:int|bool)=(\w+)\)", r"\1", value) if isinstance(value, str) else value


_DATACENTER_ONLY = ("cassandra.datastax.com/", "kubectl.kubernetes.io/")
# drawn by the API server
_ADDRESSES = {"clusterIP", "clusterIPs"}


def _comparable_claim(claim: Json) -> Json:
    metadata = dict(claim["metadata"])
    annotations = _without_hash(metadata.pop("annotations", None))
    kept = {key: value for key, value in metadata.items() if key in ("name", "labels")}
    return {
        **{k: v for k, v in claim.items() if k != "status"},
        "metadata": {**kept, "annotations": annotations},
    }


def _without_hash(annotations: Json | None) -> Json:
    return {k: v for k, v in (annotations or {}).items() if k != Annotation.RESOURCE_HASH}


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where a field that we set is not what the recorded object has there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for key, value in ours.items():
            if key in theirs:
                found += differences(value, theirs[key], f"{path}.{key}")
            elif value not in ({}, [], None):
                found.append(f"{path}.{key}: ours {value!r}, recorded: absent")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return [f"{path}: {len(ours)} items, recorded {len(theirs)}: {_names(ours)} and {_names(theirs)}"]
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{path}[{index}]")]
    return [] if ours == theirs else [f"{path}: ours {ours!r}, recorded {theirs!r}"]


def _names(items: list[Any]) -> list[Any]:
    return [item.get("name", item) if isinstance(item, dict) else item for item in items]
