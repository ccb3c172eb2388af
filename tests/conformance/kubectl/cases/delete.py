"""kubectl delete and wait."""

from __future__ import annotations

import asyncio

from tests.conformance.api import Exchange
from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.kubectl.lines import lines, session
from tests.conformance.kubectl.terminal import Terminal


@session()
async def delete(terminal: Terminal) -> None:
    shorts = [*"abcdefghijklm"]
    await terminal.make(*shorts, metadata={"labels": {"own": terminal.token}})
    name = terminal.name
    await terminal.run(f"delete {terminal.ref('a')}")
    await terminal.run(f"delete {terminal.ref('a')}")
    await terminal.run(f"delete {terminal.ref('a')} --ignore-not-found")
    await terminal.run(f"delete {terminal.type} {name('b')} {name('none')} {name('c')}")
    await terminal.run(f"delete {terminal.ref('d')} -o name")
    await terminal.run(f"delete {terminal.ref('e')} --dry-run=server")
    await terminal.run(f"delete {terminal.ref('e')} --dry-run=client")
    await terminal.run(f"delete {terminal.ref('e')} --now")
    await terminal.run(f"delete {terminal.ref('f')} --grace-period=0 --force")
    await terminal.run(f"delete {terminal.ref('g')} --grace-period=30")
    await terminal.run(f"delete {terminal.ref('h')} --cascade=background")
    await terminal.run(f"delete {terminal.ref('i')} --wait=false")
    await terminal.run(f"delete {terminal.ref('j')} --cascade=nope")
    await terminal.run("delete -f -", stdin=terminal.sample("j"))
    await terminal.run("delete -f -", stdin=terminal.sample("j"))
    await terminal.run(f"delete {terminal.ref('k')} -i=false --timeout=20s")
    await terminal.run(f"delete {terminal.type} --field-selector=metadata.name={name('l')}")
    await terminal.run(f"delete {terminal.type} --field-selector=spec.nope=1")
    await terminal.run(f"delete {terminal.type} -l own={terminal.token}")
    await terminal.run(f"delete {terminal.type} -l own={terminal.token}")
    await terminal.run(f"delete {terminal.type}")
    await terminal.run(f"delete {terminal.ref('a')} {terminal.ref('b')} --ignore-not-found -o name")
    await terminal.run("delete nope a")


@session()
async def delete_what_stays(terminal: Terminal) -> None:
    """There is no collector: what is orphaned or deleted in the foreground keeps its finalizer."""
    await terminal.make("a", "b", "c")
    for short, policy in (("a", "foreground"), ("b", "orphan")):
        ref = terminal.ref(short)
        await terminal.run(f"delete {ref} --cascade={policy} --wait=false")
        await terminal.run(f"get {ref} -o json")
        await terminal.run(f"delete {ref} --cascade={policy} --timeout=1s")
        await terminal.run(f"annotate {ref} x=y")
        await terminal.run("create -f -", stdin=terminal.sample(short))
        await terminal.run("apply -f -", stdin=terminal.sample(short))
        await terminal.run(f'patch {ref} --type=merge -p \'{{"metadata":{{"finalizers":["a.b/c"]}}}}\'')
        await terminal.run(f'patch {ref} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'')
        await terminal.run(f"get {ref}")
    await terminal.quiet(
        f'patch {terminal.ref("c")} --type=merge -p \'{{"metadata":{{"finalizers":["a.b/c"]}}}}\''
    )
    await terminal.run(f"delete {terminal.ref('c')} --timeout=1s")
    await terminal.run(f"describe {terminal.ref('c')} --show-events=false", record=False)
    await terminal.run(f"get {terminal.ref('c')} -o json")
    await terminal.run(f"delete {terminal.ref('c')} --wait=false")
    env = terminal.editor("/finalizers/,+1d")
    await terminal.run(f"edit {terminal.ref('c')}", env=env)
    await terminal.run(f"get {terminal.ref('c')} --ignore-not-found")


@session(CLUSTER, RESTART)
async def delete_all(terminal: Terminal) -> None:
    await terminal.make("a", "b")
    if terminal.kind is RESTART:
        await terminal.run(f"delete {terminal.type} --all --dry-run=server")
        await terminal.run(f"delete {terminal.type} --all")
        await terminal.run(f"delete {terminal.type} --all")
        return
    await terminal.run("delete rollingrestarts,mcc --all")
    await terminal.run("delete missioncontrolclusters -A -l none=none")
    await terminal.run("delete mcc --all -l a=b")
    await terminal.run("delete mcc x --all")


@session(RESTART)
async def delete_through_the_view(terminal: Terminal) -> None:
    """Ours deletes the operation itself; of the native pair only the view's own answers are compared."""
    await terminal.make("a")
    name = f"rollingrestart.{terminal.name('a')}"
    if terminal.arm.is_native:
        spec = {"type": "RollingRestart", "clusterName": terminal.name("c"), "rollingrestart": {}}
        document = {
            "apiVersion": terminal.group_version,
            "kind": "Operation",
            "metadata": {"name": name},
            "spec": spec,
        }
        await terminal.quiet("create -f -", stdin=document)
    await terminal.run(f"delete op {name} --dry-run=server")
    await terminal.run(f"delete op/{name}")
    await terminal.run(f"delete op/{name}")
    await terminal.run(f"delete op/{name} --ignore-not-found")
    await terminal.run("delete op/nope")


def _condition(status: str, reason: str = "R") -> str:
    condition = (
        f'{{"type":"Ready","status":"{status}","reason":"{reason}","message":"",'
        '"lastTransitionTime":"2026-01-01T00:00:00Z"}'
    )
    return f'{{"status":{{"message":"{status}","conditions":[{condition}]}}}}'


@session()
async def wait(terminal: Terminal) -> None:
    await terminal.make("a", "b", metadata={"labels": {"own": terminal.token}})
    ref = terminal.ref()
    patch = f"patch {ref} --subresource=status --type=merge -p"
    await terminal.run(f"wait {ref} --for=condition=Ready --timeout=1s")
    await terminal.run(f"wait {ref} --for=condition=Ready --timeout=0")
    waiting = asyncio.create_task(terminal.run(f"wait {ref} --for=condition=Ready --timeout=60s"))
    await terminal.quiet(f"{patch} '{_condition('True')}'")
    await waiting
    await terminal.run(f"wait {ref} --for=condition=Ready=False --timeout=1s")
    await terminal.run(f"wait {ref} --for=condition=Nope --timeout=1s")
    await terminal.run(f"wait {ref} --for=jsonpath='{{.status.message}}'=True --timeout=5s")
    await terminal.run(f"wait {ref} --for=jsonpath='{{.status.message}}' --timeout=5s -o name")
    await terminal.run(f"wait {ref} --for=jsonpath='{{.status.nope}}'=x --timeout=1s")
    await terminal.run(f"wait {ref} --for=jsonpath='{{.spec' --timeout=1s")
    waiting = asyncio.create_task(
        terminal.run(f"wait {ref} --for=jsonpath='{{.status.message}}'=False --timeout=60s")
    )
    await terminal.quiet(f"{patch} '{_condition('False')}'")
    await waiting
    await terminal.run(f"wait {terminal.type} -l own={terminal.token} --for=create --timeout=5s")
    await terminal.run(f"wait {terminal.ref('none')} --for=condition=Ready --timeout=1s")
    await terminal.run(f"wait {terminal.ref('none')} --for=delete --timeout=1s")
    await terminal.run(f"wait {terminal.ref('none')} --for=create --timeout=1s")
    await terminal.run(f"wait {terminal.type} -l own=none --for=condition=Ready --timeout=1s")
    await terminal.run(f"wait {ref} --for=delete --timeout=1s")
    # nothing is printed when the object has gone before kubectl looked
    line = f"wait {ref} --for=delete --timeout=60s"
    waiting = asyncio.create_task(terminal.run(line, record=False))
    await terminal.quiet(f"delete {ref}")
    terminal.exchanges.append(Exchange(line, (await waiting).status, {}, {}))
    waiting = asyncio.create_task(terminal.run(f"wait {terminal.ref('new')} --for=create --timeout=60s"))
    await terminal.make("new")
    await waiting
    await terminal.run(f"wait {ref} --for=nope --timeout=1s")
    await terminal.run(f"wait {terminal.ref('b')}")


lines(
    "wait for what only is read",
    "wait mcdc/alpha.dc1 --for=condition=Ready --timeout=5s",
    "wait mcdc -l tier=two --for=jsonpath='{.status.phase}'=Ready --timeout=5s",
    "wait mcdc/alpha.dc1 --for=delete --timeout=1s",
    "wait op/rollingrestart.restart-2 --for=jsonpath='{.status.phase}'=Running --timeout=5s",
    "wait op/rollingrestart.restart-2 --for=condition=Complete --timeout=1s",
    "wait dp/stage-1 --for=condition=Ready --timeout=5s",
    "wait op/nope --for=create --timeout=1s",
)
