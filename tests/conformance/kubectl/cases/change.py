"""kubectl edit, patch, label, annotate, set."""

from __future__ import annotations

import json

from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART
from tests.conformance.kubectl.lines import lines, session
from tests.conformance.kubectl.terminal import Terminal

_LABEL = 's/^  labels:$/  labels:\\n    edited: "yes"/'


@session()
async def edit(terminal: Terminal) -> None:
    await terminal.make("a", metadata={"labels": {"one": "two"}})
    await terminal.run(f"edit {terminal.ref()}", env=terminal.editor(_LABEL))
    terminal.opened("what the editor saw")
    await terminal.run(f"edit {terminal.ref()}", env=terminal.editor("s/none/none/"))
    await terminal.run(
        f"edit {terminal.ref()} -o json", env=terminal.editor('s/"one": "two"/"one": "three"/')
    )
    terminal.opened("JSON")
    await terminal.run(
        f"edit {terminal.ref()} --save-config -o yaml", env=terminal.editor("s/one: three/one: four/")
    )
    await terminal.run(f"edit {terminal.ref()} --output-patch", env=terminal.editor("s/one: four/one: five/"))
    await terminal.run(
        f"edit {terminal.ref()} --field-manager=me", env=terminal.editor("s/one: five/one: six/")
    )
    await terminal.run(
        f"edit {terminal.ref()} --show-managed-fields", env=terminal.editor("s/one: six/one: seven/")
    )
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")
    await terminal.run(f"edit {terminal.ref('none')}", env=terminal.editor(""))
    await terminal.run(f"edit {terminal.ref()}", env={"KUBE_EDITOR": "false"})


@session()
async def edit_wrongly(terminal: Terminal) -> None:
    await terminal.make("a", metadata={"labels": {"one": "two"}})
    for number, wrong in enumerate(
        (
            "s/one: two/one: a b/",
            "s/one: two/one: [1]/",
            "s/one: two/one: 2/",
            "s/^spec:/spec: x/",
            "s/^spec:/nope: 1\\nspec:/",
            "s/^spec:/spec:\\n  nope: 1/",
            "s/^  name: .*/  name: other/",
            "s/^  uid: .*/  uid: other/",
            's/^  resourceVersion: .*/  resourceVersion: "1"/',
            "s/^kind: .*/kind: Nope/",
            "s/^apiVersion: .*/apiVersion: example.com\\/v1/",
            "1,$d",
            "s/^metadata:/metadata: {/",
        )
    ):
        env = terminal.editor(wrong, "s/none/none/")
        await terminal.run(f"edit {terminal.ref()}", env=env, label=f"{number}. {wrong}")
        terminal.opened(f"{number}. again", 2)
    await terminal.run(
        f"edit {terminal.ref()} --validate=false", env=terminal.editor("s/^spec:/spec:\\n  nope: 1/", "")
    )
    await terminal.run(f"get {terminal.ref()} -o json")


@session()
async def edit_what_others_change(terminal: Terminal) -> None:
    await terminal.make("a", metadata={"labels": {"one": "two"}})
    kubectl = terminal.side.kubectl
    other = " ".join(kubectl.command("label", terminal.ref(), "by=other", "-n", terminal.token))
    script = f'sed -i "s/one: two/one: three/" "$1"; HOME={kubectl.home} {other} >/dev/null'
    (terminal.folder / "race").write_text(f"#!/bin/sh\n{script}\n")
    (terminal.folder / "race").chmod(0o700)
    await terminal.run(f"edit {terminal.ref()}", env={"KUBE_EDITOR": str(terminal.folder / "race")})
    await terminal.run(f"get {terminal.ref()} -o json")


@session()
async def edit_several_and_subresources(terminal: Terminal) -> None:
    await terminal.make("a", "b", metadata={"labels": {"one": terminal.token}})
    env = terminal.editor(f"s/one: {terminal.token}/one: x-{terminal.token}/")
    await terminal.run(f"edit {terminal.type} -l one={terminal.token}", env=env)
    await terminal.run(f"get {terminal.type} -l one=x-{terminal.token} -o name")
    added = terminal.editor("s/^kind:/status:\\n  message: edited\\nkind:/")
    await terminal.run(f"edit {terminal.ref()} --subresource=status", env=added)
    terminal.opened("of the status")
    await terminal.run(f"get {terminal.ref()} -o json")
    await terminal.run(f"edit {terminal.ref()} --subresource=nope", env=terminal.editor(""))
    await terminal.run("edit -f -", stdin=terminal.sample("a"), env=terminal.editor(""))


@session()
async def patch(terminal: Terminal) -> None:
    await terminal.make("a")
    first, second = terminal.kind.values
    merge = json.dumps(terminal.kind.change(first))
    ref = terminal.ref()
    await terminal.run(f"patch {ref} --type=merge -p '{merge}'")
    await terminal.run(f"patch {ref} --type=merge -p '{merge}'")
    await terminal.run(f"patch {ref} --type=merge -p '{merge}' -o json")
    await terminal.run(f"patch {ref} -p '{merge}'")
    await terminal.run(f"patch {ref} --type=strategic -p '{merge}'")
    await terminal.run(f"patch {ref} --type=nope -p '{merge}'")
    operations = json.dumps([{"op": "replace", "path": terminal.kind.pointer, "value": second}])
    await terminal.run(f"patch {ref} --type=json -p '{operations}'")
    await terminal.run(f"patch {ref} --type=json -p '{operations}' --dry-run=server -o name")
    await terminal.run(f"patch {ref} --type=json -p '{operations}' --dry-run=client")
    test = json.dumps([{"op": "test", "path": terminal.kind.pointer, "value": first}])
    await terminal.run(f"patch {ref} --type=json -p '{test}'")
    for text in (
        '[{"op":"remove","path":"/spec/none"}]',
        '[{"op":"nope","path":"/spec"}]',
        '[{"op":"add","path":"/metadata/labels","value":{"p":"q"}}]',
        '[{"op":"replace","path":"/metadata/name","value":"x"}]',
        "{}",
        "[",
    ):
        await terminal.run(f"patch {ref} --type=json -p '{text}'")
    for text in (
        '{"metadata":{"name":"x"}}',
        '{"spec":{"nope":1}}',
        '{"kind":"X"}',
        "[]",
        "nonsense",
        "{}",
        "x: {y: z}",
    ):
        await terminal.run(f"patch {ref} --type=merge -p '{text}'")
    wrong = json.dumps(terminal.kind.change(terminal.kind.wrong))
    await terminal.run(f"patch {ref} --type=merge -p '{wrong}'")
    await terminal.run(f"patch {terminal.ref('none')} --type=merge -p '{merge}'")
    terminal.file("patch.yaml", "metadata:\n  labels:\n    from: file\n")
    await terminal.run(f"patch {ref} --type=merge --patch-file=patch.yaml -o json")
    await terminal.run(f"patch {ref} --type=merge --patch-file=nope.yaml")
    await terminal.run(f"patch {ref} --type=merge")
    terminal.file("a.json", terminal.sample("a"))
    await terminal.run('patch -f a.json --type=merge -p \'{"metadata":{"labels":{"x":"y"}}}\'')
    await terminal.run(
        'patch -f a.json --local --type=merge -p \'{"metadata":{"labels":{"x":"y"}}}\' -o json'
    )
    await terminal.run(
        f"patch {ref} --type=merge --field-manager=me -p '{merge}' -o json --show-managed-fields"
    )
    stale = '{"metadata":{"resourceVersion":"1","labels":{"x":"z"}}}'
    await terminal.run(f"patch {ref} --type=merge -p '{stale}'")


@session()
async def patch_subresources(terminal: Terminal) -> None:
    await terminal.make("a")
    ref = terminal.ref()
    await terminal.run(f'patch {ref} --subresource=status --type=merge -p \'{{"status":{{"message":"x"}}}}\'')
    await terminal.run(f'patch {ref} --subresource=status --type=merge -p \'{{"status":{{"message":5}}}}\'')
    await terminal.run(f'patch {ref} --subresource=status --type=merge -p \'{{"spec":{{"x":5}}}}\'')
    await terminal.run(f"patch {ref} --subresource=nope --type=merge -p '{{}}'")
    await terminal.run(f'patch {ref} --subresource=status -p \'{{"status":{{"message":"x"}}}}\'')
    await terminal.run(f"get {ref} --subresource=status -o json")


@session()
async def label_and_annotate(terminal: Terminal) -> None:
    await terminal.make("a", "b")
    ref, both = terminal.ref(), f"{terminal.type} {terminal.name('a')} {terminal.name('b')}"
    for verb in ("label", "annotate"):
        await terminal.run(f"{verb} {ref} x=1 y=2")
        await terminal.run(f"{verb} {ref} x=1")
        await terminal.run(f"{verb} {ref} x=2")
        await terminal.run(f"{verb} {ref} x=2 --overwrite")
        await terminal.run(f"{verb} {ref} --list", ordered=False)
        await terminal.run(f"{verb} {ref} z=3 --list", ordered=False)
        await terminal.run(f"{verb} {ref} x-")
        await terminal.run(f"{verb} {ref} x-")
        await terminal.run(f"{verb} {ref} x=1 x-")
        await terminal.run(f"{verb} {both} both=yes")
        await terminal.run(f"{verb} {ref} rv=1 --resource-version=1")
        await terminal.run(f"{verb} {ref} dry=1 --dry-run=server")
        await terminal.run(f"{verb} {ref} dry=1 --dry-run=client -o json")
        await terminal.run(f"{verb} {ref} out=1 -o json")
        await terminal.run(f"{verb} {ref} me=1 --field-manager=me -o name")
        await terminal.run(f"{verb} {terminal.ref('none')} x=1")
        await terminal.run(f"{verb} {ref}")
        await terminal.run(f"{verb} {ref} 'a b=c'")
        await terminal.run(f"{verb} {ref} x")
        await terminal.run(f"{verb} -f - file=yes", stdin=terminal.sample("a"))
        await terminal.run(f"{verb} -f - file=yes --local -o json", stdin=terminal.sample("a"))
    await terminal.run(f"label {ref} x='not allowed'")
    await terminal.run(f"label {terminal.type} -l both=yes more=1")
    await terminal.run(f"label {terminal.type} --field-selector=metadata.name={terminal.name('a')} only=1")
    await terminal.run(f"annotate {terminal.type} -l both=yes more=1")
    found = await terminal.run(f"get {ref} -o json --show-managed-fields")
    version = found.body["stdout"]["metadata"]["resourceVersion"]
    await terminal.run(f"label {ref} now=1 --resource-version={version}", label="the version that it has")
    await terminal.run(
        f"label {ref} now=2 --overwrite --resource-version={version}", label="the version that it had"
    )


@session(CLUSTER, RESTART)
async def label_all(terminal: Terminal) -> None:
    await terminal.make("a", "b")
    await terminal.run(f"label {terminal.type} {terminal.name('a')} --all x=1")
    await terminal.run(f"annotate {terminal.type} --all x=1", record=False)
    await terminal.run(f"get {terminal.type} -o 'jsonpath={{.items[*].metadata.annotations.x}}'")


@session(CLUSTER, DATA_PLANE)
async def set_things(terminal: Terminal) -> None:
    await terminal.make("a")
    for line in (
        "set image {ref} a=b",
        "set env {ref} A=B",
        "set resources {ref} --limits=cpu=1",
        "set serviceaccount {ref} x",
        "set subject {ref} --user=x",
        "set selector {ref} a=b",
        "rollout status {ref}",
        "rollout restart {ref}",
        "rollout history {ref}",
        "rollout undo {ref}",
        "rollout pause {ref}",
        "rollout resume {ref}",
        "expose {ref} --port=80",
        "logs {ref}",
        "exec {ref} -- ls",
        "port-forward {ref} 1:1",
        "debug {ref} --image=x",
        "attach {ref}",
        "top {ref}",
        "drain {ref}",
        "cordon {ref}",
        "taint {ref} a=b:NoSchedule",
        "cp {ref}:/a b",
        "run {ref} --image=x",
        "auth reconcile -f a.json",
        "certificate approve {ref}",
    ):
        terminal.file("a.json", terminal.sample("a"))
        await terminal.run(line.format(ref=terminal.ref()))


lines(
    "change computed kinds",
    "label mcdc/alpha.dc1 x=y --dry-run=client",
    "annotate mcdc/none x=y",
    "edit dbn/none",
    "patch op/none --type=nope -p '{}'",
    "scale dbn/alpha-dc1-r1-sts-0 --replicas=2",
    "scale op/rollingrestart.restart-1 --replicas=2",
)
