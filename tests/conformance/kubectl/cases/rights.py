"""kubectl auth, and what those see who may do little."""

from __future__ import annotations

from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.kubectl.lines import lines, session
from tests.conformance.kubectl.terminal import Terminal


@session(CLUSTER)
async def rights(terminal: Terminal) -> None:
    user = f"{terminal.token}-user"
    asked = f"--as={user} -n {terminal.token}"
    for line in (
        "auth can-i create missioncontrolclusters",
        "auth can-i create mcc",
        "auth can-i create missioncontrolclusters/rollingrestart",
        "auth can-i create missioncontrolclusters/a --subresource=rollingrestart",
        "auth can-i create missioncontrolclusters.missioncontrol.io/a --subresource=flush",
        "auth can-i update mcc --subresource=scale",
        "auth can-i get datacenters --subresource=scale",
        "auth can-i create rollingrestarts --subresource=cancel",
        "auth can-i delete operations",
        "auth can-i list databasenodes -A",
        "auth can-i nope mcc",
        "auth can-i create nope.missioncontrol.io",
        "auth can-i use dataplanes",
    ):
        await terminal.run(line)
        await terminal.run(f"{line} {asked}", namespace="")
    role = (
        "create role some --verb=create --resource=missioncontrolclusters.missioncontrol.io/rollingrestart"
        " --resource=rollingrestarts.missioncontrol.io"
    )
    await terminal.run(role)
    await terminal.run("create role one --verb=get,update --resource=mcc/scale --resource-name=a")
    await terminal.run("create role wrong --verb=nope --resource=mcc")
    await terminal.run("create role wrong --verb=watch --resource=databasenodes")
    await terminal.run("create clusterrole wrong --verb=get --resource=mcc.example.com --dry-run=server")
    await terminal.run("get role some -o json")
    for name in ("some", "one"):
        await terminal.quiet(f"create rolebinding {name} --role={name} --user={user}")
    for line in (
        "auth can-i create missioncontrolclusters/rollingrestart",
        "auth can-i create missioncontrolclusters/flush",
        "auth can-i create missioncontrolclusters/a --subresource=rollingrestart",
        "auth can-i create missioncontrolclusters --subresource=rollingrestart",
        "auth can-i create mcc --subresource=flush",
        "auth can-i update mcc/a --subresource=scale",
        "auth can-i update mcc/b --subresource=scale",
        "auth can-i create rollingrestarts",
        "auth can-i get rollingrestarts",
    ):
        await terminal.run(f"{line} {asked}", namespace="")
    await terminal.run(f"auth can-i --list {asked}", namespace="")
    await terminal.run(f"auth whoami --as={user} --as-group=g -o json")


@session(CLUSTER, RESTART)
async def refusals(terminal: Terminal) -> None:
    user = f"--as={terminal.token}-nobody"
    await terminal.make("a")
    ref = terminal.ref()
    for line in (
        f"get {terminal.type}",
        f"get {ref}",
        f"get {ref} -o yaml",
        f"get {terminal.type} -A",
        f"get {terminal.type} -l x=y",
        f"get {terminal.type} --field-selector=metadata.name=a",
        f"get {terminal.type} -w",
        f"get {ref} --subresource=status",
        f"describe {ref}",
        f"delete {ref}",
        f"delete {terminal.type} --all",
        f"label {ref} x=y",
        f"patch {ref} --type=merge -p '{{}}'",
        f"edit {ref}",
        f"scale {ref} --replicas=3",
        f"wait {ref} --for=condition=Ready --timeout=2s",
        "get missioncontrol",
        "get op,mcdc",
        "get dbn x",
        "api-resources --api-group=missioncontrol.io -o name",
        f"explain {terminal.type}",
        "auth whoami -o json",
        f"get --raw {terminal.at('a')}",
    ):
        await terminal.run(f"{line} {user}")
    for line in ("create -f -", "apply -f -", "apply -f - --server-side", "replace -f -", "diff -f -"):
        await terminal.run(f"{line} {user}", stdin=terminal.sample("b"))


@session(CLUSTER, RESTART)
async def rights_of_readers_and_writers(terminal: Terminal) -> None:
    await terminal.make("a")
    for role in ("view", "edit", "admin"):
        user = f"{terminal.token}-{role}"
        await terminal.quiet(f"create rolebinding {role} --clusterrole=missioncontrol:{role} --user={user}")
        for line in (
            f"get {terminal.ref()} -o name",
            f"get {terminal.type}",
            f"label {terminal.ref()} by={role} --overwrite",
            f"patch {terminal.ref()} --type=merge --subresource=status -p '{{\"status\":{{}}}}'",
            "auth can-i --list",
        ):
            await terminal.run(f"{line} --as={user}")
        await terminal.run(f"create -f - --as={user}", stdin=terminal.sample(role))
        await terminal.run(f"apply -f - --as={user} --server-side", stdin=terminal.sample(f"{role}-2"))
        await terminal.run(f"delete {terminal.ref(role)} --as={user} --ignore-not-found")


lines(
    "who am I",
    "auth whoami",
    "auth whoami -o json",
    "auth whoami --as=me --as-group=one --as-group=two --as-uid=3",
    "auth can-i --list --as=nobody",
    "auth can-i '*' '*'",
    "get mcc --as-group=x",
    "get mcc/alpha -o name --as=kubernetes-admin --as-group=system:masters",
)
