"""Every kind of operation, created from its example against one running cluster over two data planes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Environment

API = "/apis/missioncontrol.io/v1alpha1"
EXAMPLES = Path(__file__).parents[2] / "examples"
PLANES = ("data-plane-1", "data-plane-2")
JOBS = {
    "cleanup": "/api/v1/ops/keyspace/cleanup",
    "rebuild": "/api/v1/ops/node/rebuild?src_dc=dc1",
    "sstableupgrade": "/api/v1/ops/tables/sstables/upgrade",
    "scrub": "/api/v1/ops/tables/scrub",
    "compaction": "/api/v1/ops/tables/compact",
    "garbagecollection": "/api/v1/ops/tables/garbagecollect",
    "flush": "/api/v1/ops/tables/flush",
}


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def small(environment: Environment) -> Iterator[str]:
    """The cluster of the quickstart, with one node in each of its datacenters."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    environment.kubectl("create", "namespace", name)
    body = example("quickstart")
    cassandra = body["spec"]["k8ssandra"]["cassandra"]
    cassandra["racks"] = [{"name": "r1"}]
    for datacenter in cassandra["datacenters"]:
        datacenter["size"] = 1
    environment.kubectl("create", "-n", name, "-f", "-", stdin=json.dumps(body))
    ready = ("mcc/demo", "--for=condition=Ready", "--timeout=120s")
    environment.kubectl("wait", "-n", name, *ready, timeout=130)
    yield name
    environment.kubectl("delete", "namespace", name, "--timeout=120s", timeout=130)


def wait(environment: Environment, namespace: str, operation: str, condition: str = "Complete") -> None:
    wanted = (operation, f"--for=condition={condition}", "--timeout=110s")
    environment.kubectl("wait", "-n", namespace, *wanted, timeout=120)


def calls(
    environment: Environment, namespace: str, path: str, planes: tuple[str, ...] = PLANES
) -> list[dict[str, Any]]:
    found = [
        call for plane in planes for call in environment.simulator(plane, f"calls?namespace={namespace}")
    ]
    return [call for call in found if call["path"].startswith(path)]


def test_every_example_runs_to_its_end_one_after_the_other(environment: Environment, small: str) -> None:
    # the second datacenter was rebuilt from the first one when it was made
    before = {path: len(calls(environment, small, path)) for path in JOBS.values()}
    for name in (*JOBS, "rollingrestart"):
        planned = environment.kubectl(
            *("create", "-n", small, "-f", str(EXAMPLES / f"{name}.yaml")),
            *("--dry-run=server", "-o", "jsonpath={.status.plan.message}"),
        )
        assert "of demo: dc" in planned.out, name
        environment.kubectl("create", "-n", small, "-f", str(EXAMPLES / f"{name}.yaml"))
    for name, path in JOBS.items():
        operation = f"{name}/{example(name)['metadata']['name']}"
        wait(environment, small, operation)
        status = environment.get(*operation.split("/"), "-n", small)["status"]
        touched = status["plan"]["podsTouched"]
        assert [each["phase"] for each in status["datacenters"]] == ["Complete"] * touched, name
        assert sum(each["succeeded"] for each in status["datacenters"]) == touched, name
        assert len(calls(environment, small, path)) - before[path] == touched, name
    wait(environment, small, "rollingrestart/demo-restart")
    began = {
        item["spec"]["type"]: (item["status"]["startTime"], item["status"]["completionTime"])
        for item in environment.get("operations", "-n", small)["items"]
    }
    flush = began.pop("Flush")
    alone = sorted(began.values())
    assert all(ended <= following for (_, ended), (following, _) in pairwise(alone))
    # the operation that was created before the flush had to wait for its turn
    assert flush[0] <= began["GarbageCollection"][0], "a flush waits for nobody"


def test_a_failing_node_is_named_with_its_words(environment: Environment, small: str) -> None:
    target = f"data-plane-2/{small}/demo-dc2-r1-sts-0"
    assert environment.missioncontrol("local", "fault", target, "fail-job").code == 0
    body = {**example("flush"), "metadata": {"name": "failing"}}
    environment.kubectl("create", "-n", small, "-f", "-", stdin=json.dumps(body))
    wait(environment, small, "flush/failing", "Failed")
    assert environment.missioncontrol("local", "fault", target, "clear").code == 0
    status = environment.get("flush", "failing", "-n", small)["status"]
    first, second = status["datacenters"]
    assert (first["phase"], second["phase"]) == ("Complete", "Failed")
    [failure] = second["failures"]
    assert failure["name"] == "demo-dc2-r1-sts-0"
    assert "the job was made to fail" in failure["message"]
    assert failure["message"] in status["message"]


def test_a_cancelled_one_leaves_the_nodes_after_it_alone(environment: Environment, small: str) -> None:
    after_it = (PLANES[1],)
    before = len(calls(environment, small, JOBS["scrub"], after_it))
    # the first node keeps the operation from going on, however long it takes to cancel it
    first = f"{PLANES[0]}/{small}/demo-dc1-r1-sts-0"
    assert environment.missioncontrol("local", "fault", first, "hang").code == 0
    body = {"metadata": {"name": "stopped"}}
    path = f"{API}/namespaces/{small}"
    environment.kubectl(
        *("create", "--raw", f"{path}/missioncontrolclusters/demo/scrub", "-f", "-"), stdin=json.dumps(body)
    )
    wait(environment, small, "scrub/stopped", "Running")
    environment.kubectl("create", "--raw", f"{path}/scrubs/stopped/cancel", "-f", "-", stdin="{}")
    assert environment.missioncontrol("local", "fault", first, "clear").code == 0
    wait(environment, small, "scrub/stopped", "Cancelled")
    assert len(calls(environment, small, JOBS["scrub"], after_it)) == before
    again = {**example("scrub"), "metadata": {"name": "after"}}
    environment.kubectl("create", "-n", small, "-f", "-", stdin=json.dumps(again))
    wait(environment, small, "scrub/after")


def test_a_datacenter_is_stopped_and_started_again(environment: Environment, small: str) -> None:
    inside = ("-n", small)
    environment.kubectl("create", *inside, "-f", str(EXAMPLES / "datacenterstop.yaml"))
    wait(environment, small, "datacenterstop/demo-stop")
    assert environment.get("mcdc", "demo.dc2", *inside)["status"]["phase"] == "Stopped"
    cluster = environment.get("mcc", "demo", *inside)
    assert cluster["status"]["message"] == "its only node is ready; dc2 is stopped"
    assert cluster["spec"]["k8ssandra"]["cassandra"]["datacenters"][1]["stopped"] is True

    body = {**example("flush"), "metadata": {"name": "beside"}}
    environment.kubectl("create", *inside, "-f", "-", stdin=json.dumps(body))
    wait(environment, small, "flush/beside")
    assert [
        each["name"] for each in environment.get("flush", "beside", *inside)["status"]["datacenters"]
    ] == ["dc1"]
    last = {**example("datacenterstop"), "metadata": {"name": "last"}}
    last["spec"]["datacenters"] = ["dc1"]
    refused = environment.kubectl("create", *inside, "-f", "-", stdin=json.dumps(last), check=False)
    assert "spec.allowLast: Forbidden: no datacenter of the cluster would be left running" in refused.err

    environment.kubectl("create", *inside, "-f", str(EXAMPLES / "datacenterstart.yaml"))
    wait(environment, small, "datacenterstart/demo-start")
    assert environment.get("mcc", "demo", *inside)["status"]["readyReplicas"] == 2
    names = [
        each["name"]
        for each in environment.get("datacenterstart", "demo-start", *inside)["status"]["datacenters"]
    ]
    assert names == ["dc2"]


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        (
            "Compaction",
            {"startToken": "1", "tables": ["t"]},
            [
                "spec.startToken",
                "a range of tokens has a startToken and an endToken",
                "spec.tables",
                "name it as well",
            ],
        ),
        ("Compaction", {"keyspace": "no-such name"}, ["spec.keyspace", "no-such name"]),
        ("Cleanup", {"maxConcurrentPods": 0, "retries": 11}, ["spec.maxConcurrentPods", "spec.retries"]),
        (
            "Rebuild",
            {"sourceDatacenter": "dc9"},
            ["spec.sourceDatacenter", "the datacenters of the cluster are: dc1, dc2"],
        ),
        ("Rebuild", {}, ["spec.sourceDatacenter", "Required value"]),
        (
            "TokenMove",
            {"tokens": {"demo-dc1-r1-sts-0": "1"}},
            ["spec.tokens", "only nodes with num_tokens: 1"],
        ),
        ("TokenMove", {"tokens": {}}, ["spec.tokens"]),
        ("Flush", {"racks": ["r9"], "datacenters": ["dc7"]}, ["spec.racks[0]", "spec.datacenters[0]"]),
        ("Flush", {"jobs": 2}, ['unknown field "spec.jobs"']),
    ],
)
def test_a_malformed_one_is_refused_with_every_cause(
    environment: Environment, small: str, kind: str, spec: dict[str, Any], told: list[str]
) -> None:
    body = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "wrong"},
        "spec": {"clusterName": "demo", **spec},
    }
    refused = environment.kubectl(
        "create", "-n", small, "-f", "-", "--validate=strict", stdin=json.dumps(body), check=False
    )
    assert refused.code != 0
    for words in told:
        assert words in refused.text, refused.text


def test_each_kind_is_explained_and_has_a_right_of_its_own(environment: Environment) -> None:
    explained = environment.kubectl("explain", "compaction.spec.splitOutput").out
    assert "SSTables" in explained
    listed = environment.kubectl("api-resources", "--api-group=missioncontrol.io", "-o", "name").out.split()
    for name in (*JOBS, "tokenmove", "nodereplacement"):
        plural = f"{name}es" if name == "flush" else f"{name}s"
        assert f"{plural}.missioncontrol.io" in listed
        assert (
            environment.kubectl("auth", "can-i", "create", f"missioncontrolclusters/{name}").out.strip()
            == "yes"
        )
