"""kubectl scale and autoscale."""

from __future__ import annotations

from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART
from tests.conformance.kubectl.lines import session
from tests.conformance.kubectl.terminal import Terminal


async def _sized(terminal: Terminal, *shorts: str) -> None:
    """Clusters of six nodes: the native ones say so in a field."""
    for short in shorts:
        spec = terminal.kind.spec(terminal.token)
        if terminal.arm.is_native:
            spec["replicas"] = 6
        await terminal.quiet("create -f -", stdin=terminal.sample(short, spec=spec))


@session(CLUSTER)
async def scale(terminal: Terminal) -> None:
    await _sized(terminal, "a", "b")
    ref = terminal.ref()
    await terminal.run(f"scale {ref} --replicas=12")
    await terminal.run(f"get {ref} --subresource=scale")
    await terminal.run(
        f"get {ref} --subresource=scale -o 'jsonpath={{.spec.replicas}} {{.apiVersion}} {{.kind}}'"
    )
    await terminal.run(f"scale {ref} --replicas=12 --current-replicas=6")
    await terminal.run(f"scale {ref} --replicas=6 --current-replicas=12")
    await terminal.run(f"scale {ref} --replicas=12 --resource-version=1")
    await terminal.run(f"scale {ref} --replicas=12 --dry-run=server")
    await terminal.run(f"scale {ref} --replicas=12 --dry-run=client")
    await terminal.run(f"scale {ref} --replicas=-1")
    await terminal.run(f"scale {ref} --replicas=x")
    await terminal.run(f"scale {ref}")
    await terminal.run(f"scale {ref} --replicas=6 -o name")
    await terminal.run(f"scale mcc {terminal.name('a')} {terminal.name('b')} --replicas=12")
    await terminal.run(f"scale {ref} {terminal.ref('b')} --replicas=18 --current-replicas=12")
    await terminal.run(f"scale mcc {terminal.name('a')} {terminal.name('none')} --replicas=12")
    await terminal.run(f"scale {terminal.ref('none')} --replicas=12")
    await terminal.run(f"scale {ref} --replicas=12 --timeout=1s")
    await terminal.run("scale mcc --all --replicas=12")
    await terminal.run("scale mcc --replicas=12")
    await terminal.run("scale mcc -l none=none --replicas=12")
    terminal.file("a.json", terminal.sample("a"))
    await terminal.run("scale -f a.json --replicas=18")
    found = await terminal.run(f"get {ref} -o name")
    version = await terminal.quiet(f"get {ref} -o 'jsonpath={{.metadata.resourceVersion}}'")
    await terminal.run(
        f"scale {ref} --replicas=12 --resource-version={version}", label="the version that it has"
    )
    await terminal.run(
        f"scale {ref} --replicas=18 --resource-version={version}", label="the version that it had"
    )
    assert found.status == 0


@session(CLUSTER)
async def change_a_scale(terminal: Terminal) -> None:
    await _sized(terminal, "a")
    ref = terminal.ref()
    patch = '{"spec":{"replicas":12}}'
    await terminal.run(f"patch {ref} --subresource=scale --type=merge -p '{patch}'")
    await terminal.run(
        f"patch {ref} --subresource=scale --type=merge -p '{patch}' -o 'jsonpath={{.spec.replicas}}'"
    )
    await terminal.run(f"get {ref} --subresource=scale -o name")
    await terminal.run(f"edit {ref} --subresource=scale", env=terminal.editor("s/replicas: 12/replicas: 18/"))
    await terminal.run(f"get {ref} --subresource=scale -o 'jsonpath={{.spec.replicas}}'")
    await terminal.run(f"describe {ref} --show-events=false", record=False)


@session(DATA_PLANE, RESTART)
async def scale_what_has_none(terminal: Terminal) -> None:
    await terminal.make("a")
    await terminal.run(f"scale {terminal.ref()} --replicas=3")
    await terminal.run(f"scale {terminal.ref('none')} --replicas=3")
    await terminal.run(f"patch {terminal.ref()} --subresource=scale --type=merge -p '{{}}'")
    await terminal.run(f"autoscale {terminal.ref()} --max=5")


@session(CLUSTER)
async def autoscale(terminal: Terminal) -> None:
    await _sized(terminal, "a")
    ref = terminal.ref()
    await terminal.run(f"autoscale {ref} --min=6 --max=12 --cpu-percent=50")
    await terminal.run(f"get hpa {terminal.name('a')} -o json")
    await terminal.run(f"autoscale {ref} --max=12 --name=other --dry-run=server -o json")
    await terminal.run(f"autoscale {ref} --min=13 --max=12")
    await terminal.run(f"autoscale {terminal.ref('none')} --max=12")
    await terminal.run("autoscale mcdc/none.dc1 --max=12")
    await terminal.run(
        "autoscale mcdc/alpha.dc1 --max=12 --name=dc --dry-run=client -o json", namespace="stage"
    )
