"""What discovery and OpenAPI say of the kinds under test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.conformance.api import Api, Exchange
from tests.conformance.table import Area, case

DISCOVERY = Area.DISCOVERY
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@case(DISCOVERY)
async def the_resource_list(api: Api) -> None:
    answer = await api.send("GET", api.arm.base, record=False)
    own = [each for each in answer.body["resources"] if each["name"].partition("/")[0] == api.kind.plural]
    shown = [
        {**{k: v for k, v in each.items() if k != "storageVersionHash"}, "verbs": sorted(each["verbs"])}
        for each in sorted(own, key=lambda each: str(each["name"]))
        if each["name"].rpartition("/")[2] in (api.kind.plural, "status", "scale")
    ]
    body = {**answer.body, "resources": shown}
    api.exchanges.append(Exchange("resources", answer.status, answer.headers, body))
    for accept in ("application/yaml", "text/html", "application/vnd.kubernetes.protobuf,application/json"):
        other = await api.send("GET", api.arm.base, headers={"Accept": accept}, record=False)
        api.exchanges.append(Exchange(accept, other.status, {}, ""))


@case(DISCOVERY)
async def the_group(api: Api) -> None:
    if api.arm.name != "direct":  # kube-apiserver answers it itself, from the APIServices
        await api.send("GET", f"/apis/{api.arm.group}")
    else:
        await api.send("GET", f"/apis/{api.arm.group}", arm=api.admin)


async def _until(
    api: Api, path: str, headers: dict[str, str], find: Callable[[Any], Any]
) -> tuple[Exchange, Any]:
    """An answer in which something is found: kube-apiserver completes its documents when it comes to it."""
    deadline = time.monotonic() + 45
    while True:
        answer = await api.send("GET", path, headers=headers, record=False)
        found = find(answer.body) if answer.status == 200 else None
        if found:
            return answer, found
        assert time.monotonic() < deadline, (
            f"{api.arm.name}: {path} stays incomplete: {str(answer.body)[:3000]}"
        )
        await asyncio.sleep(0.5)


def _group(api: Api, document: Any) -> Any:
    for group in document["items"]:
        if group["metadata"]["name"] == api.arm.group:
            resources = group["versions"][0].get("resources", ())
            return group if any(each["resource"] == api.kind.plural for each in resources) else None
    return None


@case(DISCOVERY)
async def aggregated_discovery(api: Api) -> None:
    headers = {"Accept": AGGREGATED}
    answer, group = await _until(api, "/apis", headers, partial(_group, api))
    resources = [each for each in group["versions"][0]["resources"] if each["resource"] == api.kind.plural]
    for resource in resources:
        resource["verbs"] = sorted(resource["verbs"])
        subresources = [
            {**each, "verbs": sorted(each["verbs"])}
            for each in sorted(resource["subresources"], key=lambda each: str(each["subresource"]))
            if each["subresource"] in ("status", "scale")
        ]
        # a custom resource names more than the kind of what can be accepted
        resource["subresources"] = [
            {k: v for k, v in each.items() if k != "acceptedTypes"} for each in subresources
        ]
    document = {**group, "metadata": {"name": group["metadata"]["name"]}}
    document["versions"] = [{**group["versions"][0], "resources": resources}]
    api.exchanges.append(Exchange("aggregated", answer.status, {}, document))


def _parameters(item: Any, operation: Any) -> dict[str, str]:
    """Of an operation and, which means the same, of its path."""
    every = [*item.get("parameters", ()), *operation.get("parameters", ())]
    return {each["name"]: f"{each['in']} {each['schema']['type']}" for each in every}


@case(DISCOVERY)
async def parameters_and_bodies_of_operations(api: Api) -> None:
    """What clients read of OpenAPI: which parameters, which patches, which kinds."""
    everywhere = f"{api.arm.base}/{api.kind.plural}"
    answer, _ = await _until(
        api, f"/openapi/v3{api.arm.base}", {}, lambda document: everywhere in document["paths"]
    )
    paths: dict[str, Any] = {}
    for path, item in answer.body["paths"].items():
        short = path.removeprefix(f"/apis/{api.arm.group}/v1alpha1").replace("/namespaces/{namespace}", "/NS")
        if f"/{api.kind.plural}" not in f"{short}/" or "/watch/" in short:
            continue
        last = short.rpartition("/")[2]
        if last not in (api.kind.plural, "{name}", "status", "scale"):
            continue
        paths[short] = {
            method: {
                "action": operation.get("x-kubernetes-action"),
                "kind": operation.get("x-kubernetes-group-version-kind"),
                "parameters": _parameters(item, operation),
                "bodies": dict.fromkeys(operation.get("requestBody", {}).get("content", {}), True),
                "responses": dict.fromkeys(operation["responses"], True),
            }
            for method, operation in item.items()
            if method != "parameters"
        }
    api.exchanges.append(
        Exchange("operations", answer.status, {}, json.loads(json.dumps(paths, sort_keys=True)))
    )
