"""Every resource this project reads or writes: group, version, plural and kind, and the paths that follow.

Resources are addressed by these constants and never by strings put together in place, so that a
misspelt plural is an error of the type checker and not a 404 at three in the morning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

VIRTUAL_GROUP: Final = "missioncontrol.io"
STORAGE_GROUP: Final = "storage.missioncontrol.io"
VERSION: Final = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a Kubernetes API. The empty group is the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What stands in ``apiVersion`` of an object: ``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """The name that kubectl and error messages use: ``statefulsets.apps``, ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def base_path(self) -> str:
        """The path of the group and version: ``/apis/apps/v1``, ``/api/v1``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The URL path of a collection, an object or a subresource.

        Without a namespace the path of a namespaced resource is the collection over all namespaces,
        and so cannot carry a name.
        """
        if namespace is not None and not self.namespaced:
            raise ValueError(f"{self.group_resource} is cluster-scoped, but a namespace was given")
        if name is not None and self.namespaced and not namespace:
            raise ValueError(f"{self.group_resource} {name!r} needs a namespace")
        if subresource is not None and name is None:
            raise ValueError(f"the subresource {subresource!r} of {self.group_resource} needs a name")
        parts = [self.base_path]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


def _core(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource("", "v1", plural, kind, namespaced)


# Kubernetes
NAMESPACES: Final = _core("namespaces", "Namespace", namespaced=False)
NODES: Final = _core("nodes", "Node", namespaced=False)
PODS: Final = _core("pods", "Pod")
SERVICES: Final = _core("services", "Service")
SERVICE_ACCOUNTS: Final = _core("serviceaccounts", "ServiceAccount")
SECRETS: Final = _core("secrets", "Secret")
CONFIG_MAPS: Final = _core("configmaps", "ConfigMap")
PERSISTENT_VOLUMES: Final = _core("persistentvolumes", "PersistentVolume", namespaced=False)
PERSISTENT_VOLUME_CLAIMS: Final = _core("persistentvolumeclaims", "PersistentVolumeClaim")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
SERVICE_MONITORS: Final = Resource("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
CONTROLLER_REVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
RESOURCE_QUOTAS: Final = _core("resourcequotas", "ResourceQuota")
POD_DISRUPTION_BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
STORAGE_CLASSES: Final = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
SUBJECT_ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
TOKEN_REVIEWS: Final = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)
CRDS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
API_SERVICES: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
VALIDATING_WEBHOOK_CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
MUTATING_WEBHOOK_CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
ROLES: Final = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS: Final = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES: Final = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False
)
CLUSTER_ROLE_BINDINGS: Final = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
FLOW_SCHEMAS: Final = Resource(
    "flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema", namespaced=False
)
PRIORITY_LEVEL_CONFIGURATIONS: Final = Resource(
    "flowcontrol.apiserver.k8s.io",
    "v1",
    "prioritylevelconfigurations",
    "PriorityLevelConfiguration",
    namespaced=False,
)
SCALES: Final = Resource("autoscaling", "v1", "scales", "Scale")

# The data plane's kinds, under upstream's groups and names
CASSANDRA_DATACENTERS: Final = Resource(
    "cassandra.datastax.com", "v1beta1", "cassandradatacenters", "CassandraDatacenter"
)
CASSANDRA_TASKS: Final = Resource("control.k8ssandra.io", "v1alpha1", "cassandratasks", "CassandraTask")
SCHEDULED_TASKS: Final = Resource("control.k8ssandra.io", "v1alpha1", "scheduledtasks", "ScheduledTask")
K8SSANDRA_TASKS: Final = Resource("control.k8ssandra.io", "v1alpha1", "k8ssandratasks", "K8ssandraTask")
K8SSANDRA_CLUSTERS: Final = Resource("k8ssandra.io", "v1alpha1", "k8ssandraclusters", "K8ssandraCluster")

# What users see, served by the aggregated API server
MISSION_CONTROL_CLUSTERS: Final = Resource(
    VIRTUAL_GROUP, VERSION, "missioncontrolclusters", "MissionControlCluster"
)
DATA_PLANES: Final = Resource(VIRTUAL_GROUP, VERSION, "dataplanes", "DataPlane", namespaced=False)
ROLLING_RESTARTS: Final = Resource(VIRTUAL_GROUP, VERSION, "rollingrestarts", "RollingRestart")
CLEANUPS: Final = Resource(VIRTUAL_GROUP, VERSION, "cleanups", "Cleanup")
REBUILDS: Final = Resource(VIRTUAL_GROUP, VERSION, "rebuilds", "Rebuild")
SSTABLE_UPGRADES: Final = Resource(VIRTUAL_GROUP, VERSION, "sstableupgrades", "SSTableUpgrade")
SCRUBS: Final = Resource(VIRTUAL_GROUP, VERSION, "scrubs", "Scrub")
COMPACTIONS: Final = Resource(VIRTUAL_GROUP, VERSION, "compactions", "Compaction")
GARBAGE_COLLECTIONS: Final = Resource(VIRTUAL_GROUP, VERSION, "garbagecollections", "GarbageCollection")
FLUSHES: Final = Resource(VIRTUAL_GROUP, VERSION, "flushes", "Flush")
TOKEN_MOVES: Final = Resource(VIRTUAL_GROUP, VERSION, "tokenmoves", "TokenMove")
DATACENTER_STOPS: Final = Resource(VIRTUAL_GROUP, VERSION, "datacenterstops", "DatacenterStop")
DATACENTER_STARTS: Final = Resource(VIRTUAL_GROUP, VERSION, "datacenterstarts", "DatacenterStart")
NODE_REPLACEMENTS: Final = Resource(VIRTUAL_GROUP, VERSION, "nodereplacements", "NodeReplacement")
OPERATIONS: Final = Resource(VIRTUAL_GROUP, VERSION, "operations", "Operation")
DATACENTERS: Final = Resource(VIRTUAL_GROUP, VERSION, "datacenters", "Datacenter")
DATABASE_NODES: Final = Resource(VIRTUAL_GROUP, VERSION, "databasenodes", "DatabaseNode")

# Where it is kept: custom resources that only our own components write
STORED_CLUSTERS: Final = Resource(STORAGE_GROUP, VERSION, "missioncontrolclusters", "MissionControlCluster")
STORED_DATA_PLANES: Final = Resource(STORAGE_GROUP, VERSION, "dataplanes", "DataPlane", namespaced=False)
STORED_OPERATIONS: Final = Resource(STORAGE_GROUP, VERSION, "operations", "Operation")
STORED_DATACENTERS: Final = Resource(STORAGE_GROUP, VERSION, "datacenters", "Datacenter")
