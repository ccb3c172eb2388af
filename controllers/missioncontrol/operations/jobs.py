"""What an operation asks of its data planes: which K8ssandraTasks, in which order, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controllers.missioncontrol.clusters.facts import Cluster
from controllers.missioncontrol.identity import Owner
from controllers.missioncontrol.operations.model import Operation, Unit, label_value, task_labels
from controllers.missioncontrol.operations.switches import TARGETS
from missioncontrol.api.names import statefulset_name

Json = dict[str, Any]
Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """What the job of one unit is made from."""

    arguments: Arguments
    unit: Unit
    cluster: Cluster


Render = Callable[[Ask], Json]


def _nothing(_: Ask) -> Json:
    return {}


def _renamed(arguments: Arguments, **names: str) -> Json:
    """The arguments that were given, under upstream's names."""
    return {name: arguments[given] for given, name in names.items() if arguments.get(given) not in (None, "")}


def _tables(ask: Ask) -> Json:
    found = _renamed(ask.arguments, keyspace="keyspace_name", jobs="jobs")
    tables = [str(each) for each in ask.arguments.get("tables") or ()]
    return {**found, "tables": tables} if tables else found


def _compaction(ask: Ask) -> Json:
    found = _renamed(ask.arguments, startToken="start_token", endToken="end_token")
    split = {"split_output": True} if ask.arguments.get("splitOutput") else {}
    return {**_tables(ask), **found, **split}


def _scrub(ask: Ask) -> Json:
    flags = {"noSnapshot": "no_snapshot", "noValidate": "no_validate", "skipCorrupted": "skip_corrupted"}
    return {
        **_tables(ask),
        **{name: True for given, name in flags.items() if ask.arguments.get(given)},
    }


def _rebuild(ask: Ask) -> Json:
    name = str(ask.arguments.get("sourceDatacenter") or "")
    source = ask.cluster.datacenter(name)
    # nodes know a datacenter by the name that it has inside Cassandra
    return {"source_datacenter": str((source.body if source else {}).get("datacenterName") or name)}


def _tokens(ask: Ask) -> Json:
    tokens = ask.arguments.get("tokens") or {}
    return {"new_tokens": {pod: str(tokens[pod]) for pod in ask.unit.pods}}


def _one_pod(ask: Ask) -> Json:
    return {"pod_name": ask.unit.pods[0]}


COMMANDS: Final[Mapping[str, tuple[str, Render]]] = {
    "RollingRestart": ("restart", _nothing),
    "Cleanup": ("cleanup", _tables),
    "SSTableUpgrade": ("upgradesstables", _tables),
    "Scrub": ("scrub", _scrub),
    "Compaction": ("compact", _compaction),
    "GarbageCollection": ("garbagecollect", _tables),
    "Flush": ("flush", _tables),
    "Rebuild": ("rebuild", _rebuild),
    "TokenMove": ("move", _tokens),
    "NodeReplacement": ("replacenode", _one_pod),
}


def units(operation: Operation, cluster: Cluster, chosen: Sequence[str]) -> list[Unit]:
    """What has to be done, in order: the datacenters as chosen, named racks by their StatefulSets."""
    if operation.type in TARGETS:
        return [
            Unit(name, datacenter.plane, "")
            for name in chosen
            if (datacenter := cluster.datacenter(name)) is not None
        ]
    if operation.arguments.get("nodes"):
        return _one_by_one(operation, cluster, chosen)
    found = []
    for name in chosen:
        datacenter = cluster.datacenter(name)
        if datacenter is None:
            continue
        base = f"{operation.meta.name}-{name}"
        only = [str(each) for each in operation.arguments.get("racks") or ()]
        tokens = operation.arguments.get("tokens")
        if tokens:
            pods = _pods_of(cluster, name, datacenter.racks, tokens)
            if pods:
                found.append(Unit(name, datacenter.plane, label_value(base), pods=pods))
            continue
        if not only:
            found.append(Unit(name, datacenter.plane, label_value(base)))
            continue
        racks = [rack for rack in datacenter.racks if rack in only]
        for rack in sorted(racks, key=lambda each: statefulset_name(cluster.database_name, name, each)):
            found.append(Unit(name, datacenter.plane, label_value(f"{base}-{rack}"), rack))
    return found


def _one_by_one(operation: Operation, cluster: Cluster, chosen: Sequence[str]) -> list[Unit]:
    """A unit for each named node, in the order in which they are named."""
    found = []
    for pod in (str(each) for each in operation.arguments["nodes"]):
        for name in chosen:
            datacenter = cluster.datacenter(name)
            if datacenter is not None and _pods_of(cluster, name, datacenter.racks, {pod: ""}):
                task = label_value(f"{operation.meta.name}-{pod}")
                found.append(Unit(name, datacenter.plane, task, pods=(pod,)))
    return found


def _pods_of(cluster: Cluster, name: str, racks: Sequence[str], tokens: Mapping[str, Any]) -> tuple[str, ...]:
    sets = {statefulset_name(cluster.database_name, name, rack) for rack in racks}
    return tuple(sorted(pod for pod in tokens if pod.rpartition("-")[0] in sets))


def render_task(operation: Operation, unit: Unit, cluster: Cluster) -> Json:
    """The K8ssandraTask of a unit. It is kept until the operation is deleted: a task that its plane cleared
    away while nobody looked would have to be started again to learn how it ended."""
    owner: Owner = cluster.owner
    command, render = COMMANDS[operation.type]
    arguments = operation.arguments
    args = render(Ask(arguments, unit, cluster))
    if unit.rack:
        args["rack"] = unit.rack
    job = {"name": operation.meta.name, "command": command, **({"args": args} if args else {})}
    template: Json = {"jobs": [job], "ttlSecondsAfterFinished": 0, **_pace(arguments)}
    # the control plane has one queue for each cluster; two queues, one behind the other, could block it
    template["concurrencyPolicy"] = "Allow"
    return {
        "apiVersion": "control.k8ssandra.io/v1alpha1",
        "kind": "K8ssandraTask",
        "metadata": {
            "name": unit.task,
            "namespace": operation.meta.namespace,
            "labels": task_labels(owner, operation.meta.name),
        },
        "spec": {
            "cluster": {"name": owner.name, "namespace": owner.namespace},
            "datacenters": [unit.datacenter],
            "dcConcurrencyPolicy": "Forbid",
            "template": template,
        },
    }


def _pace(arguments: Arguments) -> Json:
    """How many nodes at a time, and how often again. Upstream reads no retries as the default of one."""
    found: Json = {}
    most, retries = arguments.get("maxConcurrentPods"), arguments.get("retries")
    if isinstance(most, int) and most > 1:
        found["maxConcurrentPods"] = most
    if retries == 0:
        found["restartPolicy"] = "Never"
    elif isinstance(retries, int):
        found["retries"] = retries
    return found
