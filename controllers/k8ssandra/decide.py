"""What to do about a K8ssandraCluster now: a pure function of the snapshot.

Datacenters come one after the other, as upstream does it: the next one is made, or changed, when the one
before it is Ready, current, and covered by the replication of the system keyspaces. Seeds do not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controllers.k8ssandra import (
    contact_points,
    metrics_agent,
    node_config,
    rebuild,
    removal,
    render,
    seeds,
    vector,
)
from controllers.k8ssandra.cluster import (
    Cluster,
    DatacenterSpec,
    Replication,
    replication_of,
    system_replication,
)
from controllers.k8ssandra.hashing import covers
from controllers.k8ssandra.state import Snapshot
from controllers.k8ssandra.views import condition, holds, is_initialized, is_settled
from missioncontrol.api.names import Annotation, Condition, Label
from missioncontrol.kube.views import MetaView, Object
from missioncontrol.validation import cassandra_datacenter, k8ssandra_cluster
from missioncontrol.validation.causes import sentence
from missioncontrol.validation.values import integer


@dataclass(slots=True)
class Plan:
    """What is to be written, in this order, and what then is waited for."""

    config_maps: list[dict[str, Any]] = field(default_factory=list)
    stale_config_maps: list[str] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    stale_services: list[str] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    stale_slices: list[str] = field(default_factory=list)
    keyspaces: Mapping[str, int] = field(default_factory=dict)
    """The replication that the system keyspaces are to have before any datacenter is made."""
    create: dict[str, Any] | None = None
    update: dict[str, Any] | None = None
    rebuild: dict[str, Any] | None = None
    """The task that fills a datacenter, to be made once the keyspaces are replicated to it."""
    leaving: Object | None = None
    """The datacenter that the spec does not name any more; nothing else happens until it is gone."""
    notes: dict[str, str | None] = field(default_factory=dict)
    """Annotations of the K8ssandraCluster, to be written before anything is made."""
    waiting: str = ""
    error: str = ""
    """What only a change of the K8ssandraCluster (or of the object that is in the way) can mend."""
    requires_update: list[str] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Everything is as the spec says."""
        return not (self.error or self.waiting or self.create or self.update or self.rebuild)


def decide(snapshot: Snapshot) -> Plan:
    """The next step for a cluster that is not being deleted."""
    cluster, plan = snapshot.cluster, Plan()
    plan.error = _objection(snapshot)
    if plan.error:
        return plan
    replication = system_replication(cluster)
    if replication is not None and replication.error:
        plan.error = replication.error
        return plan
    if not snapshot.has_secret:
        plan.waiting = _missing_secret(cluster)
        return plan
    _decide_endpoints(snapshot, plan)
    plan.leaving = removal.leaving(snapshot)
    if plan.leaving is not None:
        plan.waiting = f"datacenter {plan.leaving.metadata.name} is removed"
        return plan
    made = _config_map_names(cluster)
    plan.stale_config_maps = sorted(name for name in snapshot.config_maps if name not in made)
    _decide_datacenters(snapshot, plan, replication)
    return plan


def _objection(snapshot: Snapshot) -> str:
    """Why nothing at all may be done."""
    cluster = snapshot.cluster
    annotations = dict(cluster.metadata.annotations)
    metadata = {"name": cluster.name, "namespace": cluster.namespace, "annotations": annotations}
    causes = k8ssandra_cluster.reconcile_causes({"metadata": metadata, "spec": cluster.spec})
    if causes:
        return sentence(causes)
    unreadable = vector.objection(cluster)
    if unreadable:
        return unreadable
    wanted = {each.name for each in cluster.datacenters}
    for name, live in snapshot.datacenters.items():
        if name in wanted and not snapshot.owns(live):
            return f"CassandraDatacenter {name} exists already and {_owner(live)}; it is left as it is"
        if name not in wanted and snapshot.owns(live) and cluster.is_managed:
            return f"removing a datacenter ({name}) is not supported yet; it is left as it is"
    added = sorted(wanted - set(snapshot.datacenters))
    removed = sorted(each.metadata.name for each in snapshot.owned if each.metadata.name not in wanted)
    if added and removed:
        return (
            f"datacenters cannot be renamed, nor added ({', '.join(added)}) and removed "
            f"({', '.join(removed)}) at once: data would be lost"
        )
    return ""


def _owner(live: Object) -> str:
    labels = live.metadata.labels
    owner, namespace = labels.get(Label.K8SSANDRA_CLUSTER_NAME), labels.get(Label.K8SSANDRA_CLUSTER_NAMESPACE)
    return f"belongs to K8ssandraCluster {namespace}/{owner}" if owner else "belongs to no K8ssandraCluster"


def _missing_secret(cluster: Cluster) -> str:
    what = f"waiting for the Secret {cluster.superuser_secret} of the superuser"
    return f"{what}, which the control plane brings" if cluster.is_managed else what


def _decide_endpoints(snapshot: Snapshot, plan: Plan) -> None:
    """Where nodes are found: seeds by nodes of other datacenters, all of them by clients."""
    cluster = snapshot.cluster
    slices, services = [], []
    for datacenter in cluster.datacenters:
        addresses = seeds.foreign_addresses(cluster, datacenter, snapshot.seed_pods)
        slices += seeds.endpoint_slices(cluster, datacenter, addresses)
        if datacenter.name in snapshot.datacenters:
            services.append(contact_points.service(cluster, datacenter))
            slices += contact_points.endpoint_slices(cluster, datacenter, snapshot.pods_of(datacenter.name))
    plan.slices, plan.stale_slices = _differing(slices, snapshot.slices)
    plan.services, plan.stale_services = _differing(services, snapshot.services)


def _differing(
    wanted: list[dict[str, Any]], live: Mapping[str, MetaView]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Those that are to be written, and the names of those that are too many; fingerprints tell."""
    changed = [
        body
        for body in wanted
        if (found := live.get(body["metadata"]["name"])) is None
        or not covers(
            {"labels": found.metadata.labels, "annotations": found.metadata.annotations},
            {key: body["metadata"][key] for key in ("labels", "annotations")},
        )
    ]
    return changed, sorted(set(live) - {body["metadata"]["name"] for body in wanted})


def _decide_datacenters(snapshot: Snapshot, plan: Plan, replication: Replication | None) -> None:
    cluster = snapshot.cluster
    for datacenter in cluster.datacenters:
        live = snapshot.datacenters.get(datacenter.name)
        missing = snapshot.materials.missing(cluster, datacenter)
        if missing:
            plan.waiting = f"datacenter {datacenter.name} waits: {missing}"
            break
        _decide_config_maps(snapshot, plan, datacenter)
        wanted = render.cassandra_datacenter(
            cluster,
            datacenter,
            replication=replication,
            existing_spec=live.spec if live else None,
            materials=snapshot.materials,
        )
        if live is None:
            _decide_creation(snapshot, plan, datacenter, wanted)
            break
        if live.metadata.deletion_timestamp is not None:
            plan.waiting = f"datacenter {datacenter.name} is being deleted, and made again afterwards"
            break
        if not _decide_change(snapshot, plan, datacenter, live, wanted):
            break
        if not is_settled(live):
            plan.waiting = _progress(snapshot, datacenter, live)
            break
        if not vector.is_wanted(datacenter):
            # now no pod mounts it any more
            stale = vector.config_map_name(cluster, datacenter)
            plan.stale_config_maps += [stale] if stale in snapshot.config_maps else []
        if not _decide_rebuild(snapshot, plan, datacenter, live):
            break
    plan.keyspaces = _keyspaces(snapshot, replication)


def _decide_creation(
    snapshot: Snapshot, plan: Plan, datacenter: DatacenterSpec, wanted: dict[str, Any]
) -> None:
    if rebuild.joins_others(snapshot.cluster, datacenter):
        if datacenter.body.get("stopped"):
            plan.error = (
                f"datacenter {datacenter.name} cannot be added while it is stopped: its nodes have to run to "
                "get the data of the others"
            )
            return
        plan.notes[Annotation.REBUILD_DC] = datacenter.name
    plan.create, plan.waiting = wanted, f"datacenter {datacenter.name} is being made"


def _decide_rebuild(snapshot: Snapshot, plan: Plan, datacenter: DatacenterSpec, live: Object) -> bool:
    """Have a new datacenter filled; False when those after it have to wait for that."""
    if not rebuild.is_due(snapshot.cluster, datacenter) or live.spec.get("stopped"):
        return True
    task = snapshot.rebuilds.get(datacenter.name)
    found = rebuild.decide(snapshot.cluster, datacenter, snapshot.datacenters, task)
    plan.rebuild, plan.waiting, plan.error = found.create, found.waiting, found.error
    if found.done:
        plan.notes[Annotation.REBUILD_DC] = None
    return found.done


def _decide_config_maps(snapshot: Snapshot, plan: Plan, datacenter: DatacenterSpec) -> None:
    told = snapshot.config_maps.get(node_config.config_map_name(snapshot.cluster, datacenter))
    bodies = (
        metrics_agent.render(snapshot.cluster, datacenter),
        node_config.render(snapshot.cluster, datacenter, told.data if told else {}),
        vector.render(snapshot.cluster, datacenter),
    )
    for body in bodies:
        if body is None:
            continue
        live = snapshot.config_maps.get(body["metadata"]["name"])
        if (
            live is None
            or not covers(live.data, body["data"])
            or not covers(live.metadata.labels, body["metadata"]["labels"])
        ):
            plan.config_maps.append(body)


def _config_map_names(cluster: Cluster) -> set[str]:
    parts = (metrics_agent, node_config, vector)
    return {part.config_map_name(cluster, each) for part in parts for each in cluster.datacenters}


def _decide_change(
    snapshot: Snapshot, plan: Plan, datacenter: DatacenterSpec, live: Object, wanted: dict[str, Any]
) -> bool:
    """Decide on an update; False when the datacenters after this one have to wait for it."""
    key = Annotation.K8SSANDRA_RESOURCE_HASH
    rendered_anew = live.metadata.annotations.get(key) != wanted["metadata"]["annotations"][key]
    drifted = not covers(live.spec, wanted["spec"]) or not covers(
        live.metadata.labels, wanted["metadata"]["labels"]
    )
    if not rendered_anew and not drifted:
        return True
    if rendered_anew and not _may_change(snapshot):
        # another release of this operator renders it differently: that alone never touches a database
        plan.requires_update.append(datacenter.name)
        return True
    if _scaling(live) and live.spec.get("size") != datacenter.size:
        plan.waiting = (
            f"datacenter {datacenter.name} is still scaling; it gets its {datacenter.size} nodes afterwards"
        )
        return False
    plan.error = _refused_change(live, wanted)
    if not plan.error:
        wanted["metadata"]["resourceVersion"] = live.metadata.resource_version
        plan.update, plan.waiting = wanted, f"datacenter {datacenter.name} is being changed"
    return False


def _may_change(snapshot: Snapshot) -> bool:
    metadata = snapshot.cluster.metadata
    changed = metadata.generation != (integer(snapshot.status.get("observedGeneration")) or 0)
    return changed or Annotation.K8SSANDRA_AUTOUPDATE_SPEC in metadata.annotations


def _refused_change(live: Object, wanted: Mapping[str, Any]) -> str:
    old = {"metadata": {"annotations": live.metadata.annotations}, "spec": live.spec, "status": live.status}
    annotations = {**live.metadata.annotations, **wanted["metadata"]["annotations"]}
    causes = cassandra_datacenter.update_causes(old, {**wanted, "metadata": {"annotations": annotations}})
    return f"datacenter {live.metadata.name} cannot be changed: {sentence(causes)}" if causes else ""


def _scaling(live: Object) -> bool:
    return holds(live.status, Condition.SCALING_UP) or holds(live.status, Condition.SCALING_DOWN)


def _progress(snapshot: Snapshot, datacenter: DatacenterSpec, live: Object) -> str:
    if live.spec.get("stopped"):
        return f"datacenter {datacenter.name} is being stopped"
    serving = snapshot.serving(datacenter.name)
    told = f"datacenter {datacenter.name} has {serving} of {datacenter.size} nodes ready"
    invalid = condition(live.status, Condition.VALID)
    if invalid.get("status") == "False" and invalid.get("message"):
        return f"{told}; {invalid['message']}"
    return told


def _keyspaces(snapshot: Snapshot, replication: Replication | None) -> dict[str, int]:
    """Where the system keyspaces may be replicated to now: to none of ours before it was initialised."""
    if replication is None:
        return {}
    live = snapshot.datacenters
    datacenters = snapshot.cluster.datacenters
    initialized = [each for each in datacenters if each.name in live and is_initialized(live[each.name])]
    if all(live[each.name].spec.get("stopped") for each in initialized):
        return {}  # nobody is there to be asked
    if not snapshot.cluster.is_managed:
        return replication_of(snapshot.cluster, initialized)
    present, local = ({each.ring_name for each in group} for group in (initialized, datacenters))
    return {
        name: factor for name, factor in replication.factors.items() if name in present or name not in local
    }
