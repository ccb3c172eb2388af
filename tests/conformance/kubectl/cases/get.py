"""kubectl get, describe."""

from __future__ import annotations

from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.kubectl.lines import lines, session
from tests.conformance.kubectl.stage import STAGE
from tests.conformance.kubectl.terminal import Terminal

_EVERY = (
    "missioncontrolclusters", "dataplanes", "rollingrestarts", "operations", "datacenters", "databasenodes",
)  # fmt: skip
_SHORT = ("mcc", "dp", "op", "mcdc", "dbn", "rollingrestart")

lines("get every kind", *(f"get {name} -l '!none'" for name in _EVERY if name != "dataplanes"))
lines("get every kind wide", *(f"get {name} -o wide" for name in _EVERY if name != "dataplanes"))
lines("get by short names", *(f"get {name}" for name in _SHORT if name != "dp"))
lines("get by singular and kind", "get missioncontrolcluster", "get MissionControlCluster", "get Datacenter")
lines(
    "get with the group",
    "get missioncontrolclusters.missioncontrol.io",
    "get mcc.missioncontrol.io/alpha",
    "get missioncontrolclusters.v1alpha1.missioncontrol.io",
    "get missioncontrolclusters.v1.missioncontrol.io",
    "get mcdc.v1alpha1.missioncontrol.io",
    "get missioncontrolclusters.example.com",
)
lines("get as names", *(f"get {name} -o name -l stage=yes" for name in _EVERY))
lines("get as JSON", *(f"get {name} -o json -l stage=yes" for name in _EVERY))
lines(
    "get as YAML",
    *(f"get {name} -o yaml" for name in ("mcc/alpha", "dp/stage-1", "op/rollingrestart.restart-2")),
    *(f"get {name} -o yaml" for name in ("mcdc/alpha.dc1", "dbn/alpha-dc1-r1-sts-0", "op,mcdc")),
)
lines(
    "get as KYAML and others",
    "get mcc/alpha -o kyaml",
    "get mcc/alpha -o nope",
    "get mcc -o custom-columns=",
    "get mcc -o jsonpath",
    "get mcc -o 'jsonpath={.items[*}'",
    "get mcc/alpha -o 'jsonpath={.spec.nope}'",
    "get mcc/alpha -o 'jsonpath={.spec.nope}' --allow-missing-template-keys=false",
    "get mcc/alpha -o 'go-template={{.spec.nope.deeper}}'",
)
lines(
    "get parts",
    "get {type} -o 'jsonpath={.items[*].metadata.name}' -l stage=yes",
    "get {type} -o 'jsonpath={range .items[*]}{.metadata.name}={.metadata.labels.tier};{end}' -l stage",
    "get {type} -o 'jsonpath-as-json={.items[*].metadata.labels}' -l stage",
    "get {type} -o custom-columns=A:.metadata.name,B:.metadata.labels.number,C:.status.phase -l stage",
    "get {type} -o custom-columns=A:.metadata.name --no-headers -l stage",
    "get {type} -o 'go-template={{range .items}}{{.metadata.name}}{{\"\\n\"}}{{end}}' -l stage",
    "get {type} -o 'template={{len .items}}' -l stage",
    kind=RESTART,
)
lines(
    "get sorted",
    "get mcc --sort-by=.metadata.name",
    "get mcc --sort-by=.metadata.labels.number",
    "get mcc --sort-by={.metadata.labels.tier} -o name",
    "get mcc --sort-by=.status.phase",
    "get mcc --sort-by=.spec.nope",
    "get mcc --sort-by=.metadata.creationTimestamp -o name",
    "get mcc --sort-by=Phase",
    "get op --sort-by=.spec.clusterName",
    "get dbn --sort-by=.status.hostID",
    "get mcc,op --sort-by=.metadata.name",
)
lines(
    "get by labels",
    "get {type} -l tier=two",
    "get {type} -l tier!=two,stage=yes -o name",
    "get {type} -l 'number in (1,3)'",
    "get {type} -l 'number notin (1,3),stage'",
    "get {type} -l '!tier' -o name",
    "get {type} -l 'number>2,stage' -o name",
    "get {type} -l 'number lt 2' -o name",
    "get {type} -l tier=none",
    "get {type} -l 'a b'",
    "get {type} -l a=b=c",
    "get {type} -l 'tier=two,' -o name",
    "get {type} --selector tier==two -o name",
    "get {type} restart-1 -l tier=two",
    "get {type} -l tier=two -L tier,number",
    "get {type} --show-labels -l stage",
    "get {type} -l stage --label-columns=nope",
    kind=RESTART,
)
lines(
    "get by fields",
    "get mcc --field-selector=metadata.name=alpha",
    "get mcc --field-selector=metadata.name!=alpha -o name",
    "get mcc --field-selector=status.phase=Updating -o name",
    "get mcc --field-selector=status.phase=Updating,metadata.name=beta -o name",
    "get mcc --field-selector=spec.nope=1",
    "get mcc --field-selector=nope",
    "get mcc -A --field-selector=metadata.namespace=stage -o name",
    "get dp --field-selector=spec.region=eu,metadata.name=stage-1",
    "get rollingrestarts --field-selector=spec.clusterName=beta",
    "get rollingrestarts --field-selector=status.phase=Running -o name",
    "get op --field-selector=spec.type=RollingRestart -o name",
    "get op --field-selector=spec.clusterName=beta",
    "get mcdc --field-selector=spec.dataPlane=stage-1 -o name",
    "get mcdc --field-selector=spec.clusterName=beta",
    "get mcdc --field-selector=metadata.name=beta.dc1 -o name",
    "get dbn --field-selector=metadata.name=beta-dc1-r1-sts-0",
    "get dbn --field-selector=spec.nope=1",
    "get dbn -l missioncontrol.io/cluster-name=beta",
    "get mcc alpha --field-selector=metadata.name=alpha",
)
lines(
    "get everywhere",
    "get mcc -A -l stage",
    "get mcc,op,mcdc -A -l stage",
    "get missioncontrol -A -l stage",
    "get missioncontrol -A -l stage -o name",
    "get missioncontrol -l stage -o wide",
    "get dp -A -l stage",
    "get mcc alpha -A",
    "get dbn -A -l missioncontrol.io/cluster-name=beta",
)
lines(
    "get several",
    "get mcc,rollingrestarts -l stage",
    "get mcc/alpha rollingrestart/restart-1 dp/stage-1",
    "get mcc alpha beta",
    "get mcc alpha nope beta",
    "get mcc/alpha mcc/nope -o name",
    "get mcc/alpha rollingrestart/nope -o yaml",
    "get mcc,nope",
    "get mcc alpha rollingrestart",
    "get mcc/alpha rollingrestart",
    "get mcc,dp -l stage -o name",
    "get op/rollingrestart.restart-1 mcdc/alpha.dc1 dbn/alpha-dc1-r1-sts-0",
    "get all -l stage",
    "get all,mcc -l stage -o name",
    "get mcc,configmaps -l stage",
    "get mcc/alpha,mcc/beta",
    "get mcc/",
    "get /alpha",
    "get",
    "get ''",
)
lines(
    "get what is not there",
    "get mcc nope",
    "get mcc nope --ignore-not-found",
    "get mcc alpha nope --ignore-not-found -o name",
    "get mcc -n nope",
    "get mcc -n nope --ignore-not-found",
    "get mcc alpha -n nope",
    "get op nope",
    "get op rollingrestart.nope",
    "get mcdc nope",
    "get mcdc nope.dc1",
    "get dbn nope",
    "get dp nope",
    "get mcc NOPE",
    "get mcc a_b",
    "get nope",
    "get mccs",
    "get scale",
    "get rollingrestart/nope -o json",
)
lines(
    "get subresources",
    "get mcc alpha --subresource=status",
    "get mcc alpha --subresource=status -o name",
    "get mcc --subresource=status",
    "get mcc alpha --subresource=nope",
    "get rollingrestart restart-1 --subresource=status -o yaml",
    "get rollingrestart restart-1 --subresource=scale",
    "get dp stage-1 --subresource=status",
    "get mcdc alpha.dc1 --subresource=scale",
    "get mcdc alpha.dc1 --subresource=scale -o yaml",
    "get mcc alpha beta --subresource=status",
)
lines(
    "get in chunks",
    "get {type} --chunk-size=1 -l stage",
    "get {type} --chunk-size=2 -l stage -o name",
    "get {type} --chunk-size=0 -l stage -o name",
    "get {type} --chunk-size=-1",
    kind=RESTART,
)
lines(
    "get computed kinds in chunks",
    "get dbn --chunk-size=1",
    "get op --chunk-size=1 -o name",
    "get mcdc --chunk-size=2 -o name",
)
lines(
    "get printed otherwise",
    "get dbn --no-headers -o name",
    "get mcc --show-kind",
    "get mcc/alpha --show-kind",
    "get mcc --server-print=false",
    "get mcc --server-print=false -o wide",
    "get op --server-print=false --show-labels",
    "get mcc --output-watch-events",
    "get mcc/alpha -o yaml --show-managed-fields=false",
)
_GV = "/apis/missioncontrol.io/v1alpha1"
_IN = f"{_GV}/namespaces/{STAGE}"
lines(
    "get raw",
    f"get --raw {_IN}/missioncontrolclusters/alpha",
    f"get --raw {_IN}/missioncontrolclusters/nope",
    f"get --raw {_IN}/nope",
    f"get --raw {_IN}/operations/rollingrestart.restart-1",
    f"get --raw {_IN}/datacenters/alpha.dc1/scale",
    f"get --raw '{_IN}/missioncontrolclusters?labelSelector=number%3D1'",
    f"get --raw '{_IN}/missioncontrolclusters?labelSelector=%3D%3D'",
    f"get --raw '{_IN}/missioncontrolclusters?fieldSelector=spec.nope%3D1'",
    f"get --raw '{_IN}/missioncontrolclusters?limit=x'",
    f"get --raw '{_IN}/missioncontrolclusters?resourceVersion=x'",
    "get --raw /apis/missioncontrol.io/v1",
    f"get --raw {_GV}/nope",
    f"get --raw {_IN}/missioncontrolclusters/alpha/nope",
    f"get mcc --raw {_IN}/missioncontrolclusters",
    "get --raw apis",
)
lines(
    "describe",
    "describe mcc alpha",
    "describe rollingrestart restart-2",
    "describe op rollingrestart.restart-2",
    "describe dp stage-1",
    "describe mcdc alpha.dc1",
    "describe dbn alpha-dc1-r1-sts-0",
    "describe mcc -l tier=two",
    "describe mcc al",
    "describe mcc nope",
    "describe mcc/alpha --show-events=false",
    "describe mcc alpha beta --show-events=false",
    "describe mcdc -A -l number=1 --chunk-size=1",
    "describe missioncontrol -l number=1",
    "describe nope",
    "describe mcc -n nope",
)


@session()
async def describe_with_events(terminal: Terminal) -> None:
    await terminal.make("a")
    found = await terminal.run(f"get {terminal.ref()} -o json")
    place = terminal.token if terminal.kind.namespaced else "default"
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{terminal.token}-event", "namespace": place},
        "involvedObject": {
            "apiVersion": terminal.group_version,
            "kind": terminal.kind.name,
            "name": terminal.name("a"),
            "namespace": terminal.token if terminal.kind.namespaced else "",
            "uid": found.body["stdout"]["metadata"]["uid"],
        },
        "reason": "Looked",
        "message": "Somebody looked at it.",
        "type": "Normal",
        "source": {"component": "test"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
    }
    await terminal.quiet("create -f -", stdin=event, namespace=place)
    await terminal.run(f"describe {terminal.ref()}")
    await terminal.run(f"events --for={terminal.ref()}", namespace=place)
    await terminal.run(f"events --for={terminal.kind.name}/{terminal.name('a')} -o name", namespace=place)
    await terminal.run(f"events --for={terminal.ref('none')}", namespace=place)
    await terminal.run("events --for=mcc", namespace=place)
    await terminal.run(f"events --types=Warning --for={terminal.ref()}", namespace=place)
    await terminal.run(
        f"get events --field-selector=involvedObject.name={terminal.name('a')}", namespace=place
    )


@session()
async def get_with_managed_fields(terminal: Terminal) -> None:
    await terminal.make("a")
    # objects of other cases stand beside it where the kind has no namespaces
    await terminal.quiet(f"label {terminal.ref()} x={terminal.token}")
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")
    await terminal.run(f"get {terminal.ref()} -o json")
    await terminal.run(f"get {terminal.type} -l x={terminal.token} -o json --show-managed-fields")
    await terminal.run(f"get {terminal.ref()} --show-managed-fields")


@session()
async def watch_one(terminal: Terminal) -> None:
    await terminal.make("a")
    async with terminal.following(f"get {terminal.ref()} -w -o name") as seen:
        await seen.printed(f"{terminal.name('a')}\n")
        await terminal.quiet(f"label {terminal.ref()} x=1")
        await seen.printed(f"{terminal.name('a')}\n", 2)
        await terminal.quiet(f"delete {terminal.ref()}")
        await seen.printed(f"{terminal.name('a')}\n", 3)


@session()
async def watch_all_with_events(terminal: Terminal) -> None:
    await terminal.make("a", metadata={"labels": {"own": terminal.token}})
    line = f"get {terminal.type} -l own={terminal.token} -w --output-watch-events"
    async with terminal.following(line) as seen:
        await seen.printed("ADDED")
        await terminal.make("b", metadata={"labels": {"own": terminal.token}})
        await seen.printed("ADDED", 2)
        await terminal.quiet(f"label {terminal.ref('b')} x=1")
        await seen.printed("MODIFIED")
        await terminal.quiet(f"label {terminal.ref('b')} own-")
        await seen.printed("DELETED")
        await terminal.quiet(f"delete {terminal.ref('a')}")
        await seen.printed("DELETED", 2)


@session()
async def watch_only_what_comes(terminal: Terminal) -> None:
    await terminal.make("a", metadata={"labels": {"own": terminal.token}})
    line = f"get {terminal.type} -l own={terminal.token} --watch-only --output-watch-events -o name"
    async with terminal.following(line, distinct=True) as seen:
        # nobody knows when the watch has begun: make changes until one is seen
        for number in range(100):
            await terminal.quiet(f"label {terminal.ref()} x={number} --overwrite")
            if seen.out:
                break


@session(CLUSTER, RESTART)
async def watch_in_json_and_tables(terminal: Terminal) -> None:
    await terminal.make("a")
    async with terminal.following(f"get {terminal.ref()} -w -o wide --show-labels") as seen:
        await seen.printed(terminal.name("a"))
        await terminal.quiet(f"label {terminal.ref()} x=1")
        await seen.printed("x=1")


lines(
    "watch what cannot be watched",
    "get mcc nope -w",
    "get mcc,rollingrestarts -w",
    "get mcc alpha beta -w",
    "get mcc -w --sort-by=.metadata.name --request-timeout=1s",
    "get nope -w",
)
