"""kubectl explain, api-resources, api-versions."""

from __future__ import annotations

from tests.conformance.kubectl.lines import lines

_KINDS = (
    "missioncontrolclusters", "dataplanes", "rollingrestarts", "operations", "datacenters", "databasenodes",
)  # fmt: skip
lines("explain kinds", *(f"explain {name}" for name in _KINDS))
# the native twin of the cluster has another field, for its scale
lines("explain specs", *(f"explain {name}.spec" for name in _KINDS[1:]))
lines("explain statuses", *(f"explain {name}.status" for name in _KINDS))
lines(
    "explain fields",
    "explain mcc.metadata",
    "explain mcc.metadata.labels",
    "explain mcc.apiVersion",
    "explain mcc.kind",
    "explain mcc.spec.k8ssandra.cassandra.datacenters",
    "explain mcc.spec.k8ssandra.cassandra.datacenters.metadata.name",
    "explain mcc.spec.k8ssandra.cassandra.serverVersion",
    "explain mcc.status.conditions",
    "explain mcc.status.conditions.lastTransitionTime",
    "explain rollingrestart.spec.racks",
    "explain rollingrestart.spec.onConflict",
    "explain rollingrestart.status.phase",
    "explain rollingrestart.status.plan.steps.pods",
    "explain op.spec.type",
    "explain op.spec.rollingrestart",
    "explain op.spec.tokenmove.tokens",
    "explain mcdc.spec.racks",
    "explain dbn.status.ready",
)
lines(
    "explain whole trees",
    "explain dataplanes --recursive",
    "explain rollingrestarts --recursive",
    "explain operations.spec --recursive",
    "explain datacenters --recursive",
    "explain databasenodes --recursive",
)
lines("explain types", "explain mcc.spec.k8ssandra --v=0", "explain dp.spec.kubeconfigSecretRef --v=0")
lines(
    "explain with versions",
    "explain mcc --api-version=missioncontrol.io/v1alpha1",
    "explain dp --api-version=missioncontrol.io/v1",
    "explain mcc --api-version=example.com/v1",
    "explain missioncontrolclusters.missioncontrol.io",
    "explain missioncontrolcluster",
    "explain missioncontrolclusters.v1alpha1.missioncontrol.io.spec",
)
lines(
    "explain what is not there",
    "explain mcc.nope",
    "explain mcc.spec.nope",
    "explain mcc.spec.k8ssandra.nope.deeper",
    "explain rollingrestart.spec.racks.nope",
    "explain nope",
    "explain",
    "explain mcc --output=nope",
    "explain mcc/alpha",
)
lines("explain from version 2", *(f"explain {name} --output=plaintext-openapiv2" for name in _KINDS))
lines(
    "explain trees from version 2",
    "explain dataplanes --recursive --output=plaintext-openapiv2",
    "explain rollingrestarts.spec --output=plaintext-openapiv2",
    "explain operations.spec --output=plaintext-openapiv2",
    "explain datacenters --recursive --output=plaintext-openapiv2",
)
_OURS = "--api-group=missioncontrol.io"
lines(
    "api-resources",
    f"api-resources {_OURS}",
    f"api-resources {_OURS} -o wide",
    f"api-resources {_OURS} -o name",
    f"api-resources {_OURS} -o json",
    f"api-resources {_OURS} --no-headers --sort-by=kind",
    f"api-resources {_OURS} --sort-by=name",
    f"api-resources {_OURS} --namespaced=false",
    f"api-resources {_OURS} --namespaced=true -o name",
    f"api-resources {_OURS} --cached",
    f"api-resources {_OURS} --categories=missioncontrol -o name",
    f"api-resources {_OURS} --categories=nope",
    f"api-resources {_OURS} --verbs=list,watch -o name",
    f"api-resources {_OURS} --verbs=create,deletecollection -o name",
    f"api-resources {_OURS} --verbs=nope",
    "api-resources --api-group=nope.missioncontrol.io",
)
