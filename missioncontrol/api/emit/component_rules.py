"""What each of our components may do in Kubernetes, and nothing beyond it.

No component may touch roles, bindings, webhook configurations or CRDs, so none can make itself more
powerful. A rule names the resources that the component's code reads and writes; add to it when the code
does more, and take away when it does less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from missioncontrol.api import resources as r
from missioncontrol.api.names import REQUESTER_EXTRA, SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import Resource

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "delete", "patch", "update")


@dataclass(frozen=True, slots=True)
class Rule:
    """One RBAC rule: these verbs on these resources of one group, perhaps on named objects only."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The entry of a role's rules."""
        rule: dict[str, Any] = {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": sorted(self.verbs),
        }
        return rule | ({"resourceNames": list(self.names)} if self.names else {})


@dataclass(frozen=True, slots=True)
class ComponentRules:
    """The rights of one component: in the whole cluster, and in single namespaces."""

    component: Component
    rules: tuple[Rule, ...]
    namespaced: tuple[tuple[str, tuple[Rule, ...]], ...] = ()
    # the role's name where it is not that of the component
    role: str = ""

    @property
    def role_name(self) -> str:
        """The name of the ClusterRole and of what belongs to it."""
        return f"missioncontrol:{self.role or self.component}"


def on(resource: Resource, *verbs: str, subresource: str = "") -> Rule:
    """A rule on one resource or one of its subresources."""
    name = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return Rule(resource.group, (name,), verbs)


def _status(resource: Resource) -> Rule:
    return on(resource, "get", "patch", "update", subresource="status")


def _finalizers(resource: Resource) -> Rule:
    # only asked for where the cluster guards blockOwnerDeletion
    return on(resource, "update", subresource="finalizers")


_EVENTS: Final = on(r.EVENTS, "create", "patch")
_NAMESPACES: Final = on(r.NAMESPACES, *READ)
_LEASES: Final = (SYSTEM_NAMESPACE, (on(r.LEASES, "create", *READ, "patch", "update"),))
_STORED: Final = (r.STORED_CLUSTERS, r.STORED_DATA_PLANES, r.STORED_DATACENTERS, r.STORED_OPERATIONS)

_APISERVER: Final = ComponentRules(
    Component.APISERVER,
    (
        *(on(resource, *READ, *WRITE, "deletecollection") for resource in _STORED),
        *(_status(resource) for resource in _STORED),
        on(r.SUBJECT_ACCESS_REVIEWS, "create"),
        on(r.TOKEN_REVIEWS, "create"),
        _NAMESPACES,
        # it names itself again on every write, to attach who asked for it
        Rule("authentication.k8s.io", (f"userextras/{REQUESTER_EXTRA}",), ("impersonate",)),
    ),
    namespaced=(
        (
            SYSTEM_NAMESPACE,
            (Rule("", ("serviceaccounts",), ("impersonate",), (Component.APISERVER.value,)),),
        ),
    ),
)

# One role for both kinds of plane: where one cluster is both, the two installations must not fight over it
_WEBHOOKS: Final = ComponentRules(
    Component.WEBHOOKS,
    (
        *(on(resource, *READ) for resource in _STORED),
        on(r.K8SSANDRA_CLUSTERS, *READ),
        on(r.CASSANDRA_DATACENTERS, *READ),
        on(r.SUBJECT_ACCESS_REVIEWS, "create"),
        # what is made counts against the quotas of its namespace
        on(r.RESOURCE_QUOTAS, *READ),
        on(r.RESOURCE_QUOTAS, "update", subresource="status"),
        _NAMESPACES,
    ),
)

_MISSION_CONTROL_OPERATOR: Final = ComponentRules(
    Component.MISSION_CONTROL_OPERATOR,
    (
        on(r.STORED_CLUSTERS, *READ, "patch", "update"),
        on(r.STORED_DATA_PLANES, *READ, "patch", "update"),
        on(r.STORED_DATACENTERS, *READ, *WRITE),
        on(r.STORED_OPERATIONS, *READ, *WRITE),
        *(_status(resource) for resource in _STORED),
        *(_finalizers(resource) for resource in _STORED),
        # the superuser's Secret lies beside its cluster, in any namespace
        on(r.SECRETS, *READ, "create", "patch"),
        _NAMESPACES,
        _EVENTS,
    ),
    namespaced=(_LEASES,),
)

# What the kubeconfig of a DataPlane may do there
_REMOTE: Final = ComponentRules(
    Component.MISSION_CONTROL_OPERATOR,
    (
        on(r.K8SSANDRA_CLUSTERS, *READ, *WRITE),
        on(r.K8SSANDRA_TASKS, *READ, *WRITE),
        on(r.CASSANDRA_DATACENTERS, *READ),
        on(r.CASSANDRA_TASKS, *READ),
        on(r.SECRETS, *READ, "create", "delete", "patch", "update"),
        on(r.NAMESPACES, *READ, "create", "delete", "patch"),
        on(r.PODS, *READ),
        # whether a namespace of ours holds something of others, before it is deleted
        on(r.CONFIG_MAPS, "list"),
        on(r.PERSISTENT_VOLUME_CLAIMS, "list"),
        on(r.SERVICES, "list"),
        on(r.STATEFUL_SETS, "list"),
        on(r.DEPLOYMENTS, "list"),
    ),
    role=f"{Component.MISSION_CONTROL_OPERATOR}-remote",
)

_K8SSANDRA_OPERATOR: Final = ComponentRules(
    Component.K8SSANDRA_OPERATOR,
    (
        on(r.K8SSANDRA_CLUSTERS, *READ, "patch", "update"),
        _status(r.K8SSANDRA_CLUSTERS),
        _finalizers(r.K8SSANDRA_CLUSTERS),
        on(r.K8SSANDRA_TASKS, *READ, "delete", "patch", "update"),
        _status(r.K8SSANDRA_TASKS),
        _finalizers(r.K8SSANDRA_TASKS),
        on(r.CASSANDRA_DATACENTERS, *READ, *WRITE),
        on(r.CASSANDRA_TASKS, *READ, *WRITE),
        on(r.SECRETS, *READ, *WRITE),
        on(r.CONFIG_MAPS, *READ, *WRITE),
        on(r.SERVICES, *READ, *WRITE),
        on(r.ENDPOINT_SLICES, *READ, *WRITE),
        on(r.SERVICE_MONITORS, "get", "create", "patch", "delete"),
        on(r.PODS, *READ),
        _NAMESPACES,
        _EVENTS,
    ),
    namespaced=(_LEASES,),
)

_CASS_OPERATOR: Final = ComponentRules(
    Component.CASS_OPERATOR,
    (
        on(r.CASSANDRA_DATACENTERS, *READ, "patch"),
        _status(r.CASSANDRA_DATACENTERS),
        _finalizers(r.CASSANDRA_DATACENTERS),
        on(r.CASSANDRA_TASKS, *READ, "create", "delete", "patch"),
        _status(r.CASSANDRA_TASKS),
        _finalizers(r.CASSANDRA_TASKS),
        on(r.SCHEDULED_TASKS, *READ, "patch"),
        _status(r.SCHEDULED_TASKS),
        on(r.STATEFUL_SETS, *READ, "create", "delete", "patch", "update"),
        on(r.PODS, *READ, "delete", "patch"),
        # whether a pod's machine is lost
        on(r.NODES, *READ),
        on(r.PERSISTENT_VOLUME_CLAIMS, *READ, "delete", "patch"),
        on(r.STORAGE_CLASSES, "get", "list"),
        on(r.SERVICES, *READ, "create", "delete", "patch"),
        on(r.ENDPOINT_SLICES, *READ, "create", "delete", "patch"),
        on(r.SECRETS, *READ, "create", "patch"),
        on(r.POD_DISRUPTION_BUDGETS, *READ, "create", "delete", "patch"),
        _EVENTS,
    ),
    # the ImageConfig counts in the operator's own namespace only
    namespaced=((SYSTEM_NAMESPACE, (*_LEASES[1], on(r.CONFIG_MAPS, *READ))),),
)

# Only in the local environment: it plays kubelet and volume provisioner
_SIMULATOR: Final = ComponentRules(
    Component.SIMULATOR,
    (
        on(r.NODES, "list", "watch", "create", "patch"),
        on(r.NODES, "patch", subresource="status"),
        on(r.PODS, "list", "watch", "delete"),
        on(r.PODS, "patch", subresource="status"),
        on(r.PERSISTENT_VOLUMES, "list", "watch", "create", "delete", "patch"),
        on(r.PERSISTENT_VOLUME_CLAIMS, "list", "watch"),
        on(r.PERSISTENT_VOLUME_CLAIMS, "patch", subresource="status"),
        on(r.STORAGE_CLASSES, "create"),
        on(r.ENDPOINT_SLICES, "list", "watch"),
    ),
    namespaced=(("kube-node-lease", (on(r.LEASES, "create", "patch"),)),),
)

CONTROL_PLANE: Final = (_APISERVER, _WEBHOOKS, _MISSION_CONTROL_OPERATOR)
DATA_PLANE: Final = (_WEBHOOKS, _REMOTE, _K8SSANDRA_OPERATOR, _CASS_OPERATOR)
LOCAL_DATA_PLANE: Final = (_SIMULATOR,)
