"""kubectl apply and diff, on the client's side and the server's."""

from __future__ import annotations

from typing import Any

from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART
from tests.conformance.kubectl.lines import session
from tests.conformance.kubectl.terminal import Terminal


def _changed(terminal: Terminal, value: Any, short: str = "a", **options: Any) -> dict[str, Any]:
    """The sample with another value of the field that may change."""
    sample = terminal.sample(short, **options)
    inner = sample["spec"]
    for part in terminal.kind.field[:-1]:
        inner = inner[part]
    inner[terminal.kind.field[-1]] = value
    return sample


@session()
async def apply(terminal: Terminal) -> None:
    first, second = terminal.kind.values
    terminal.file("a.json", terminal.sample("a"))
    terminal.file("b.json", _changed(terminal, first, metadata={"labels": {"x": "y"}}))
    terminal.file("c.json", _changed(terminal, second))
    await terminal.run("apply -f a.json")
    await terminal.run("apply -f a.json")
    await terminal.run("apply -f b.json")
    await terminal.run("apply -f b.json -o json")
    await terminal.run("apply -f c.json --dry-run=client")
    await terminal.run("apply -f c.json --dry-run=client -o json")
    await terminal.run("apply -f c.json --dry-run=server")
    await terminal.run("apply -f c.json --dry-run=server -o json")
    await terminal.run("apply -f c.json -o yaml")
    await terminal.run("apply view-last-applied -f c.json")
    await terminal.run(f"apply view-last-applied {terminal.ref()} -o json")
    await terminal.run(f"apply view-last-applied {terminal.ref('none')}")
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")
    await terminal.run("apply -f c.json --overwrite=false")
    await terminal.run("apply -f c.json --force")
    await terminal.run("apply")
    await terminal.run("apply -f c.json --field-manager=me -o name")


@session()
async def apply_over_what_was_created(terminal: Terminal) -> None:
    first, _ = terminal.kind.values
    await terminal.make("a")
    await terminal.run("apply -f -", stdin=_changed(terminal, first))
    await terminal.run(f"apply view-last-applied {terminal.ref()}")
    await terminal.quiet(f"label {terminal.ref()} by-hand=yes")
    await terminal.run("apply -f -", stdin=terminal.sample("a"))
    await terminal.run(f"get {terminal.ref()} -o json")
    await terminal.run(
        "apply -f -",
        stdin=terminal.sample("b", metadata={"generateName": f"{terminal.token}-gen-", "name": None}),
    )


@session()
async def last_applied(terminal: Terminal) -> None:
    terminal.file("a.json", terminal.sample("a"))
    await terminal.make("a")
    await terminal.run(f"apply view-last-applied {terminal.ref()}")
    await terminal.run("apply set-last-applied -f a.json")
    await terminal.run("apply set-last-applied -f a.json --create-annotation=true --dry-run=client")
    await terminal.run("apply set-last-applied -f a.json --create-annotation=true --dry-run=server")
    await terminal.run("apply set-last-applied -f a.json --create-annotation=true")
    await terminal.run("apply set-last-applied -f a.json -o json")
    await terminal.run(f"apply view-last-applied {terminal.ref()} -o yaml")
    # the spec's first lines differ from kind to kind, the name's does not
    env = terminal.editor('s/^\\(  name: .*\\)$/\\1\\n  labels:\\n    edited: "yes"/')
    await terminal.run(f"apply edit-last-applied {terminal.ref()}", env=env)
    terminal.opened("what the editor saw")
    await terminal.run(f"apply view-last-applied {terminal.ref()}")
    await terminal.run(f"apply edit-last-applied {terminal.ref()}", env=terminal.editor("s/none/none/"))


@session()
async def apply_on_the_servers_side(terminal: Terminal) -> None:
    first, second = terminal.kind.values
    await terminal.run("apply -f - --server-side", stdin=terminal.sample("a"))
    await terminal.run("apply -f - --server-side", stdin=terminal.sample("a"))
    await terminal.run("apply -f - --server-side --field-manager=other", stdin=_changed(terminal, first))
    await terminal.run(
        "apply -f - --server-side --field-manager=other --dry-run=server", stdin=_changed(terminal, first)
    )
    line = "apply -f - --server-side --field-manager=other --force-conflicts -o json --show-managed-fields"
    await terminal.run(line, stdin=_changed(terminal, first))
    await terminal.run("apply -f - --server-side", stdin=_changed(terminal, second))
    await terminal.run("apply -f - --server-side --dry-run=client", stdin=_changed(terminal, second))
    await terminal.run("apply -f - --force-conflicts", stdin=_changed(terminal, second))
    await terminal.run(
        "apply -f - --server-side -o yaml",
        stdin=terminal.identity("a", metadata={"name": terminal.name("a")}),
    )
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")
    await terminal.run("apply -f - --server-side", stdin=terminal.sample("a", metadata={"managedFields": []}))
    await terminal.run(
        "apply -f - --server-side", stdin=terminal.sample("a", metadata={"resourceVersion": "1"})
    )
    await terminal.run("apply -f - --server-side", stdin=terminal.sample("a", metadata={"uid": "no"}))


@session()
async def from_one_side_to_the_other(terminal: Terminal) -> None:
    first, second = terminal.kind.values
    await terminal.run("apply -f -", stdin=terminal.sample("a"))
    await terminal.run("apply -f - --server-side", stdin=_changed(terminal, first))
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")
    await terminal.run("apply -f -", stdin=_changed(terminal, second))
    await terminal.run(f"edit {terminal.ref()}", env=terminal.editor(f"s/{first}/{second}/"))
    await terminal.run("apply -f - --server-side", stdin=_changed(terminal, first))
    await terminal.run(f"get {terminal.ref()} -o json --show-managed-fields")


@session()
async def apply_and_prune(terminal: Terminal) -> None:
    labels = {"labels": {"app": terminal.token}}
    allowed = f"--prune-allowlist=missioncontrol.io/v1alpha1/{terminal.kind.name}"
    terminal.file("both.json", terminal.sample("a", metadata=labels), terminal.sample("b", metadata=labels))
    terminal.file("one.json", terminal.sample("a", metadata=labels))
    select = f"-l app={terminal.token}"
    await terminal.run("apply -f both.json")
    await terminal.run(f"apply -f one.json --prune {select} {allowed} --dry-run=server")
    await terminal.run(f"apply -f one.json --prune {select} {allowed} --dry-run=client")
    await terminal.run(f"apply -f one.json --prune {select} {allowed}")
    await terminal.run(f"get {terminal.type} {select} -o name")
    await terminal.run(f"apply -f one.json --prune --all {select}")
    await terminal.run(f"apply -f one.json --prune {select} --prune-allowlist=nope")
    await terminal.run(f"apply -f one.json --prune {select} --prune-allowlist=missioncontrol.io/v1/Nope")


@session(CLUSTER, RESTART)
async def apply_a_set(terminal: Terminal) -> None:
    env = {"KUBECTL_APPLYSET": "true"}
    terminal.file("both.json", terminal.sample("a"), terminal.sample("b"))
    terminal.file("one.json", terminal.sample("a"))
    await terminal.run("apply -f both.json --prune --applyset=set", env=env)
    await terminal.run("get secret set -o json")
    await terminal.run("apply -f one.json --prune --applyset=set --dry-run=server", env=env)
    await terminal.run("apply -f one.json --prune --applyset=set", env=env)
    await terminal.run(f"get {terminal.type} --show-labels -l applyset.kubernetes.io/part-of")
    await terminal.run(f"apply -f one.json --prune --applyset={terminal.ref('c')}", env=env)


@session()
async def diff(terminal: Terminal) -> None:
    first, _ = terminal.kind.values
    own = {"x": terminal.token}
    terminal.file("a.json", terminal.sample("a"))
    terminal.file("b.json", _changed(terminal, first, metadata={"labels": own}))
    await terminal.run("diff -f a.json")
    await terminal.run("apply -f a.json", record=False)
    await terminal.run("diff -f a.json")
    await terminal.run("diff -f b.json")
    await terminal.run("diff -f b.json --server-side")
    await terminal.run("diff -f b.json --server-side --field-manager=other")
    await terminal.run("diff -f b.json --server-side --field-manager=other --force-conflicts")
    await terminal.run("diff -f b.json --show-managed-fields --server-side --force-conflicts")
    await terminal.run("diff -f -", stdin=_changed(terminal, terminal.kind.wrong))
    await terminal.run("diff -f -", stdin={**terminal.sample("a"), "nope": 1})
    await terminal.run("diff -f b.json", env={"KUBECTL_EXTERNAL_DIFF": "diff -r -q"})
    labels = (
        f"--prune -l x={terminal.token} --prune-allowlist=missioncontrol.io/v1alpha1/{terminal.kind.name}"
    )
    await terminal.run("apply -f b.json", record=False)
    terminal.file("c.json", terminal.sample("c", metadata={"labels": own}))
    await terminal.run(f"diff -f c.json {labels}")
    await terminal.run("diff -f nope.json")


@session(DATA_PLANE)
async def apply_with_other_kinds(terminal: Terminal) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}
    terminal.file("all.json", settings, terminal.sample("a"), {**settings, "metadata": {"name": "y"}})
    await terminal.run("apply -f all.json")
    await terminal.run("apply -f all.json --server-side")
    await terminal.run("get -f all.json -o name")
    await terminal.run("diff -f all.json")
    await terminal.run("delete -f all.json")
