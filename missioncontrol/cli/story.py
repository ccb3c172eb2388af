"""The story that `make demo` plays and the end-to-end tests assert: what a newcomer sees, as data.

Every step is a command a user would type; nothing here talks to an API server by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Expect(Enum):
    """What a step's command must do for the story to go on."""

    SUCCESS = "success"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the story.

    `deadline` is in seconds. `until` repeats a quick command until its output contains that text.
    `beside` is a kubectl watch that is shown while the command runs.
    """

    title: str
    command: str
    deadline: float = 30.0
    expect: Expect = Expect.SUCCESS
    contains: tuple[str, ...] = ()
    until: str | None = None
    beside: str | None = None


def story(examples: Path) -> list[Step]:
    """The steps, in order, for an environment with the planes data-plane-1 and data-plane-2."""
    quickstart = examples / "quickstart.yaml"
    restart = examples / "rollingrestart.yaml"
    single = examples / "one-node.yaml"
    leftovers = (
        "get k8ssandraclusters,cassandradatacenters,statefulsets,pods,persistentvolumeclaims,"
        "poddisruptionbudgets,secrets,k8ssandratasks,cassandratasks"
    )
    return [
        Step("A cluster over two data planes", f"kubectl apply -f {quickstart}"),
        Step(
            "Its nodes start one at a time",
            "kubectl wait mcc/demo --for=condition=Ready --timeout=120s",
            deadline=125,
            beside="kubectl get datacenters --watch",
        ),
        Step(
            "The cluster, its datacenters, its nodes",
            "kubectl get mcc,mcdc,dbn",
            contains=("demo.dc1", "demo.dc2"),
        ),
        Step("Twelve nodes instead of six", "kubectl scale mcc/demo --replicas=12"),
        Step(
            "The new nodes join",
            "kubectl wait mcc/demo --for=jsonpath={.status.readyReplicas}=12 --timeout=120s",
            deadline=125,
            beside="kubectl get datacenters --watch-only",
        ),
        Step(
            "What a rolling restart would do",
            f"kubectl create -f {restart} --dry-run=server -o jsonpath={{.status.plan.message}}",
        ),
        Step("A rolling restart", f"kubectl create -f {restart}"),
        Step(
            "Rack by rack, one node at a time",
            "kubectl wait rollingrestart/demo-restart --for=condition=Complete --timeout=150s",
            deadline=155,
            beside="kubectl get operations --watch",
        ),
        Step(
            "data-plane-1 becomes a production plane",
            "kubectl label dp data-plane-1 environment=production --overwrite",
        ),
        Step(
            "A one-node cluster there is refused by policy",
            f"kubectl create -f {single}",
            expect=Expect.REFUSAL,
            contains=("production", "3"),
        ),
        Step("data-plane-2 goes dark", "missioncontrol local stop data-plane-2", deadline=60),
        Step("data-plane-1 still grows", "kubectl scale mcdc/demo.dc1 --replicas=9"),
        Step(
            "Its new nodes join",
            "kubectl wait mcdc/demo.dc1 --for=jsonpath={.status.readyReplicas}=9 --timeout=90s",
            deadline=95,
            beside="kubectl get datacenters --watch-only",
        ),
        Step(
            "The dark plane is seen",
            "kubectl wait dp/data-plane-2 --for=condition=Ready=False --timeout=20s",
            deadline=25,
        ),
        Step("Which plane is away, and since when", "kubectl get dp"),
        Step("data-plane-2 comes back", "missioncontrol local start data-plane-2", deadline=90),
        Step("It is seen", "kubectl wait dp/data-plane-2 --for=condition=Ready --timeout=60s", deadline=65),
        Step("And has caught up", "kubectl wait mcc/demo --for=condition=Ready --timeout=90s", deadline=95),
        Step("All of it", "kubectl get mcc,mcdc", contains=("demo",)),
        Step("The end", "kubectl delete mcc demo --timeout=90s", deadline=95),
        *(
            Step(
                f"Nothing is left in {plane}",
                f"kubectl --context {plane} {leftovers}",
                deadline=45,
                until="No resources found",
            )
            for plane in ("data-plane-1", "data-plane-2")
        ),
    ]
