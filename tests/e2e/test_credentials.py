"""Every component has a credential of its own, and none of them can make itself more powerful."""

from __future__ import annotations

from tests.e2e.conftest import Environment, call

ESCALATIONS = (
    ("create", "clusterrolebindings"),
    ("update", "clusterroles"),
    ("bind", "clusterroles"),
    ("escalate", "clusterroles"),
    ("impersonate", "users"),
    ("impersonate", "groups"),
)


def kubeconfigs(environment: Environment) -> dict[str, str]:
    """The kubeconfig of each component that has one, by the component's name."""
    found = {}
    for component in environment.state["components"]:
        argv = component["argv"]
        for position, word in enumerate(argv):
            if word == "--kubeconfig":
                found[component["name"]] = argv[position + 1]
            elif word.startswith("--kubeconfig="):
                found[component["name"]] = word.partition("=")[2]
    return found


def test_no_component_can_raise_its_own_rights(environment: Environment) -> None:
    ours = kubeconfigs(environment)
    assert {"apiserver", "webhooks", "mission-control-operator", "data-plane-1/cass-operator"} <= ours.keys()
    assert len(set(ours.values())) == len(ours), "two components share a credential"

    kubectl = environment.state["binaries"]["kubectl"]
    granted = [
        (name, verb, resource)
        for name, path in ours.items()
        for verb, resource in ESCALATIONS
        if call([kubectl, "--kubeconfig", path, "auth", "can-i", verb, resource, "-A", "-q"], timeout=30).code
        == 0
    ]

    assert granted == []
