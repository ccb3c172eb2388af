"""kubectl create, replace, run as users do with files."""

from __future__ import annotations

import json

from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.kubectl.lines import session
from tests.conformance.kubectl.terminal import Terminal


@session()
async def create(terminal: Terminal) -> None:
    terminal.file("a.json", terminal.sample("a"))
    await terminal.run("create -f a.json")
    await terminal.run("create -f a.json")
    await terminal.run("create -f a.json -o name")
    await terminal.run("create -f -", stdin=terminal.sample("b"))
    await terminal.run("create -f - -o json", stdin=terminal.sample("c"))
    await terminal.run("create -f - -o yaml --save-config", stdin=terminal.sample("d"))
    await terminal.run("create -f - -o name", stdin=terminal.sample("e"))
    await terminal.run(
        "create -f - --field-manager=me -o json --show-managed-fields", stdin=terminal.sample("f")
    )
    await terminal.run(f"get {terminal.ref('a')} -o json --show-managed-fields")
    await terminal.run("create -f nope.json")
    await terminal.run("create -f -", stdin="")
    await terminal.run("create -f -", stdin="not: [closed")
    await terminal.run("create -f -", stdin="{}")
    await terminal.run("create")


@session()
async def create_from_folders(terminal: Terminal) -> None:
    terminal.file("all/a.json", terminal.sample("a"))
    terminal.file("all/b.yaml", terminal.sample("b"), terminal.sample("c"))
    terminal.file("all/notes.txt", "nothing")
    terminal.file("all/below/d.json", terminal.sample("d"))
    await terminal.run("create -f all")
    await terminal.run("create -f all -R")
    await terminal.run("get -f all -o name")
    await terminal.run("delete -f all -R --ignore-not-found")
    await terminal.run("create -f all/a.json -f all/b.yaml -o name")
    kustomization = {
        "resources": ["all/a.json", "all/below/d.json"],
        "namePrefix": f"{terminal.token}-pre-",
        "labels": [{"pairs": {"kustomized": "yes"}}],
        "patches": [
            {
                "target": {"kind": terminal.kind.name},
                "patch": json.dumps([{"op": "add", "path": "/metadata/annotations", "value": {"by": "us"}}]),
            }
        ],
    }
    terminal.file("kustomization.yaml", kustomization)
    await terminal.run("kustomize .")
    await terminal.run("create -k .")
    await terminal.run("get -k . -o json")
    await terminal.run("apply -k .")
    await terminal.run("diff -k .")
    await terminal.run("delete -k .")
    await terminal.run("create -k nope")


@session()
async def create_without_doing_it(terminal: Terminal) -> None:
    sample = terminal.sample("a")
    await terminal.run("create -f - --dry-run=client", stdin=sample)
    await terminal.run("create -f - --dry-run=client -o json", stdin=sample)
    await terminal.run("create -f - --dry-run=server", stdin=sample)
    await terminal.run("create -f - --dry-run=server -o json", stdin=sample)
    await terminal.run("create -f - --dry-run=server -o name", stdin=sample)
    await terminal.run("create -f - --dry-run", stdin=sample)
    await terminal.run("create -f - --dry-run=nope", stdin=sample)
    await terminal.run(f"get {terminal.ref()}")


def _unknown(terminal: Terminal, short: str) -> dict[str, object]:
    """A sample with a field that there is not; only one, for apply names several in any order."""
    sample = terminal.sample(short)
    sample["spec"] = {**sample["spec"], "nope": 1}
    return sample


@session()
async def validation(terminal: Terminal) -> None:
    for number, flag in enumerate(("strict", "true", "warn", "ignore", "false", "nope")):
        short = f"v{number}"
        await terminal.run(f"create -f - --validate={flag}", stdin=_unknown(terminal, short))
    await terminal.run("create -f -", stdin=_unknown(terminal, "x"))
    await terminal.run("create -f - --dry-run=server", stdin=_unknown(terminal, "x"))
    await terminal.run("create -f - --dry-run=client", stdin=_unknown(terminal, "x"))
    await terminal.run("apply -f -", stdin=_unknown(terminal, "x"))
    await terminal.run("apply -f - --validate=warn", stdin=_unknown(terminal, "x"))
    await terminal.run("apply -f - --server-side", stdin=_unknown(terminal, "x"))
    await terminal.run(
        "apply -f - --server-side --validate=warn --force-conflicts", stdin=_unknown(terminal, "y")
    )
    await terminal.run("replace -f -", stdin=_unknown(terminal, "v2"))
    twice = json.dumps(terminal.sample("z")).replace('"spec": {', '"spec": {}, "spec": {', 1)
    await terminal.run("create -f -", stdin=twice)
    wrong = terminal.sample(
        "w", spec={**terminal.sample()["spec"], **terminal.kind.change(terminal.kind.wrong)["spec"]}
    )
    await terminal.run("create -f -", stdin=wrong)
    await terminal.run("create -f - --validate=false", stdin=wrong)
    await terminal.run("create -f - --dry-run=server", stdin=wrong)
    await terminal.run("create -f -", stdin=terminal.sample("w", spec=None))
    if terminal.kind is not CLUSTER:  # the native twin of the cluster has a scale, and says more
        await terminal.run("create -f -", stdin=terminal.sample("w", spec="text"))
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"name": "Upper_Case"}))
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"labels": {"a b": "c"}}))
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"labels": {"a": 1}}))
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"name": None}))
    await terminal.run(
        "create -f -",
        stdin=terminal.sample("w", metadata={"name": None, "generateName": f"{terminal.token}-gen-"}),
    )
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"namespace": "elsewhere"}))
    await terminal.run("create -f - -n nowhere", stdin=terminal.sample("w"), namespace="")
    await terminal.run("create -f -", stdin=terminal.sample("w", kind="Nope"))
    await terminal.run("create -f -", stdin=terminal.sample("w", apiVersion="missioncontrol.io/v9"))
    await terminal.run("create -f -", stdin=terminal.sample("w", kind=None))
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"resourceVersion": "1"}))
    await terminal.run(
        "create -f -", stdin=terminal.sample("w", metadata={"uid": "x", "creationTimestamp": None})
    )
    await terminal.run("create -f -", stdin=terminal.sample("w", metadata={"managedFields": "x"}))


@session()
async def create_through_an_editor(terminal: Terminal) -> None:
    env = terminal.editor("s/one: two/one: three/")
    sample = terminal.sample("a", metadata={"labels": {"one": "two"}})
    await terminal.run("create -f - --edit", stdin=sample, env=env)
    terminal.file("a.json", sample)
    await terminal.run("create -f a.json --edit", env=env)
    terminal.opened("what the editor saw")
    await terminal.run(f"get {terminal.ref()} -o json")
    await terminal.run("create -f a.json --edit", env=terminal.editor("s/none/none/"))


@session()
async def lists_of_objects(terminal: Terminal) -> None:
    both = {"apiVersion": "v1", "kind": "List", "items": [terminal.sample("a"), terminal.sample("b")]}
    await terminal.run("create -f -", stdin=both)
    await terminal.run("apply -f -", stdin=both)
    own = {
        "apiVersion": terminal.group_version,
        "kind": f"{terminal.kind.name}List",
        "items": [terminal.sample("c")],
    }
    await terminal.run("create -f -", stdin=own)
    await terminal.run("apply -f -", stdin=own)
    await terminal.run("get -f - -o name", stdin=both)
    await terminal.run("delete -f -", stdin=both)


@session()
async def raw(terminal: Terminal) -> None:
    path = terminal.collection
    terminal.file("a.json", terminal.sample("a"))
    await terminal.run(f"create --raw {path} -f a.json")
    await terminal.run(f"create --raw {path} -f a.json")
    await terminal.run(f"create --raw {path} -f -", stdin="nonsense")
    await terminal.run(
        f"create --raw '{path}?dryRun=All&fieldValidation=Strict' -f -", stdin=_unknown(terminal, "b")
    )
    await terminal.run(f"create --raw {path}/nope/nope -f a.json")
    found = await terminal.run(f"get --raw {terminal.at('a')}")
    new = {**found.body["stdout"], "metadata": {**found.body["stdout"]["metadata"], "labels": {"x": "y"}}}
    await terminal.run(f"replace --raw {terminal.at('a')} -f -", stdin=new)
    await terminal.run(f"replace --raw {terminal.at('a')} -f -", stdin=new)
    await terminal.run(f"replace --raw {terminal.at('a', 'status')} -f -", stdin=new)
    await terminal.run(f"delete --raw {terminal.at('a')}")
    await terminal.run(f"delete --raw {terminal.at('a')}")
    await terminal.run(
        f"delete --raw {terminal.at('b')} -f -", stdin={"kind": "DeleteOptions", "apiVersion": "v1"}
    )


@session()
async def replace(terminal: Terminal) -> None:
    await terminal.run("replace -f -", stdin=terminal.sample("a"))
    await terminal.make("a")
    text = await terminal.quiet(f"get {terminal.ref()} -o yaml")
    new = terminal.sample("a", metadata={"labels": {"x": "y"}})
    await terminal.run("replace -f -", stdin=new)
    await terminal.run("replace -f - -o json", stdin=new)
    await terminal.run("replace -f - --save-config -o json", stdin=new)
    await terminal.run("replace -f - --dry-run=server", stdin=new)
    await terminal.run("replace -f - --dry-run=client", stdin=new)
    await terminal.run("replace -f - --field-manager=me -o json --show-managed-fields", stdin=new)
    await terminal.quiet(f"annotate {terminal.ref()} changed=yes")
    await terminal.run("replace -f -", stdin=text)
    await terminal.run("replace -f - --subresource=status -o json", stdin={**new, "status": {"message": "x"}})
    await terminal.run("replace -f - --subresource=nope", stdin=new)
    await terminal.run("replace -f - --force", stdin=new)
    await terminal.run("replace -f - --force --grace-period=0 --cascade=background", stdin=new)
    await terminal.run("replace -f - --force", stdin=terminal.sample("b"))
    await terminal.run(f"get {terminal.ref()} -o json")


@session(CLUSTER, RESTART)
async def replace_what_may_not_change(terminal: Terminal) -> None:
    await terminal.make("a")
    spec = terminal.sample("a")["spec"]
    changed = {**spec, "clusterName": "other"} if terminal.kind is RESTART else {**spec, "prefixDcs": "x"}
    await terminal.run("replace -f -", stdin=terminal.sample("a", spec=changed))
    await terminal.run("apply -f -", stdin=terminal.sample("a", spec=changed))
    await terminal.run("apply -f - --server-side --force-conflicts", stdin=terminal.sample("a", spec=changed))
    await terminal.run(f"patch {terminal.ref()} --type=merge -p '{json.dumps({'spec': changed})}'")
    env = terminal.editor("s/clusterName: .*/clusterName: other/; s/createIssuer: .*/createIssuer: 5/", "")
    await terminal.run(f"edit {terminal.ref()}", env=env)
    terminal.opened("again", 2)
