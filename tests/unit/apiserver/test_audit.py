"""The audit log: what is told of a request, what never is, and where it goes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from apiserver import requestinfo
from apiserver.audit.event import TRUNCATED, encode, stamp
from apiserver.audit.log import Auditor
from apiserver.audit.policy import DEFAULT, Level, Policy, PolicyError, load, parse
from apiserver.audit.sink import WAITING, Lines, Rotation, Sink
from apiserver.call import Call
from apiserver.identity import User
from apiserver.status import bad_request

GV = "/apis/missioncontrol.io/v1alpha1"
ALICE = User("alice", "7", ("dev", "system:authenticated"), (("scope", ("a",)),))
EVERYTHING = parse(
    {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "RequestResponse"}]}
)


def call(method: str = "GET", path: str = f"{GV}/namespaces/a/backups/b", **headers: str) -> Call:
    request = make_mocked_request(
        method, path, headers={"User-Agent": "kubectl/v1", "X-Forwarded-For": "10.0.0.9", **headers}
    )
    info = requestinfo.parse(method, request.rel_url.raw_path, request.query)
    return Call(request=request, info=info, deadline=0, user=ALICE, audit_id="id-1", allowed=True, reason="r")


class Memory:
    """A sink that keeps what it is given."""

    dropped = failed = 0

    def __init__(self) -> None:
        self.lines: list[Lines] = []

    def put(self, line: Lines) -> None:
        self.lines.append(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = [line if isinstance(line, bytes) else line() for line in self.lines]
        assert all(line.count(b"\n") == 1 for line in lines)
        return [json.loads(line) for line in lines]


def auditor(policy: Policy = EVERYTHING, **options: Any) -> tuple[Auditor, Memory]:
    memory = Memory()
    return Auditor(policy, memory, now=lambda: 1_700_000_001.25, **options), memory  # type: ignore[arg-type]


def test_the_life_of_a_request() -> None:
    subject, memory = auditor()
    asked = call("PUT", f"{GV}/namespaces/a/missioncontrolclusters/demo/scale?dryRun=All")
    trail = subject.trail(asked, ALICE, "id-1", 1_700_000_000.5)
    assert trail is not None
    assert asked.keeps_body
    trail.received()
    asked.body = b'{"spec": {"replicas": 3}, "metadata": {"managedFields": []}}'
    trail.ended(web.Response(status=200, body=b'{"kind":"Scale"}\n'), None)
    received, complete = memory.events
    assert received["stage"] == "RequestReceived"
    assert received["requestReceivedTimestamp"] == received["stageTimestamp"] == "2023-11-14T22:13:20.500000Z"
    assert complete == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "id-1",
        "stage": "ResponseComplete",
        "requestURI": f"{GV}/namespaces/a/missioncontrolclusters/demo/scale?dryRun=All",
        "verb": "update",
        "user": {
            "username": "alice",
            "uid": "7",
            "groups": ["dev", "system:authenticated"],
            "extra": {"scope": ["a"]},
        },
        "sourceIPs": complete["sourceIPs"],
        "userAgent": "kubectl/v1",
        "objectRef": {
            "resource": "missioncontrolclusters",
            "namespace": "a",
            "name": "demo",
            "apiGroup": "missioncontrol.io",
            "apiVersion": "v1alpha1",
            "subresource": "scale",
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestObject": {"spec": {"replicas": 3}, "metadata": {"managedFields": []}},
        "responseObject": {"kind": "Scale"},
        "requestReceivedTimestamp": "2023-11-14T22:13:20.500000Z",
        "stageTimestamp": "2023-11-14T22:13:21.250000Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "r"},
    }
    assert complete["sourceIPs"][0] == "10.0.0.9"


def test_no_credential_is_told() -> None:
    subject, memory = auditor()
    asked = call(Authorization="Bearer very-secret", Cookie="very-secret")
    trail = subject.trail(asked, ALICE, "id-1", 0)
    assert trail is not None
    trail.received()
    trail.ended(None, bad_request("x"))
    assert "very-secret" not in json.dumps(memory.events)
    assert memory.events[1]["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": "x",
        "reason": "BadRequest",
        "code": 400,
    }


def test_a_name_that_the_path_does_not_have_comes_from_the_answer() -> None:
    subject, memory = auditor()
    asked = call("POST", f"{GV}/namespaces/a/backups")
    trail = subject.trail(asked, ALICE, "id-1", 0)
    assert trail is not None
    asked.body = b"metadata: {generateName: b-}\nspec: {}\n"
    answer = {"kind": "Backup", "metadata": {"name": "b-x", "uid": "u", "resourceVersion": "3"}}
    trail.ended(web.Response(status=201, body=json.dumps(answer, indent=1).encode()), None)
    (event,) = memory.events
    assert event["requestObject"] == {"metadata": {"generateName": "b-"}, "spec": {}}
    assert event["objectRef"]["name"] == "b-x"
    assert (event["objectRef"]["uid"], event["objectRef"]["resourceVersion"]) == ("u", "3")


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        (
            "POST",
            "missioncontrolclusters/b/backup",
            {"kind": "Backup", "metadata": {"name": "x", "uid": "u"}},
        ),
        ("DELETE", "backups", {"kind": "BackupList", "metadata": {"resourceVersion": "3"}, "items": []}),
    ],
    ids=["what a subresource makes", "a list"],
)
def test_what_was_asked_for_is_not_told_by_what_is_something_else(
    method: str, path: str, answer: dict[str, Any]
) -> None:
    subject, memory = auditor()
    asked = call(method, f"{GV}/namespaces/a/{path}")
    trail = subject.trail(asked, ALICE, "id-1", 0)
    assert trail is not None
    trail.ended(web.Response(status=200, body=json.dumps(answer).encode()), None)
    (event,) = memory.events
    assert not event["objectRef"].keys() & {"uid", "resourceVersion"}
    assert event["objectRef"].get("name") in (None, "b")


def test_bodies_that_are_none_and_bodies_that_are_too_long() -> None:
    subject, memory = auditor(limit=2000)
    for body, failed in ((b"{broken", bad_request("x")), (b'{"a": "%s"}' % (b"x" * 3000), None)):
        asked = call("POST", f"{GV}/namespaces/a/backups")
        trail = subject.trail(asked, ALICE, "id-1", 0)
        assert trail is not None
        asked.body = body
        trail.ended(web.Response(status=400 if failed else 201), failed)
    broken, long = memory.events
    assert "requestObject" not in broken
    assert "requestObject" not in long
    assert long["annotations"][TRUNCATED] == "true"


def test_panics_and_clients_that_left() -> None:
    subject, memory = auditor()
    trail = subject.trail(call(), ALICE, "id-1", 0)
    assert trail is not None
    trail.started(200)
    trail.ended(None, None, panic=True)
    trail.ended(None, None)
    assert [event["stage"] for event in memory.events] == ["ResponseStarted", "Panic", "ResponseComplete"]
    assert "responseStatus" not in memory.events[2]


def judged(policy: Policy, asked: Call) -> str:
    return policy.judge(asked.info, asked.user).level.text


@pytest.mark.parametrize(
    ("method", "path", "level"),
    [
        ("GET", "/healthz", "None"),
        ("GET", "/readyz/ping", "None"),
        ("GET", "/openapi/v3/apis/missioncontrol.io/v1alpha1", "None"),
        ("GET", GV, "None"),
        ("POST", GV, "Metadata"),
        ("GET", f"{GV}/dataplanes", "Metadata"),
        ("GET", f"{GV}/dataplanes?watch=1", "Metadata"),
        ("DELETE", f"{GV}/dataplanes", "RequestResponse"),
        ("PATCH", f"{GV}/namespaces/a/backups/b/status", "RequestResponse"),
    ],
)
def test_without_a_policy_file(method: str, path: str, level: str) -> None:
    assert judged(DEFAULT, call(method, path)) == level


POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
metadata: {name: ours}
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, users: [bob]}
- {level: Request, userGroups: [dev], verbs: [create], resources: [{group: missioncontrol.io}]}
- level: RequestResponse
  omitManagedFields: false
  omitStages: [ResponseStarted]
  resources: [{group: missioncontrol.io, resources: ["*/scale"]}]
- {level: Metadata, resources: [{group: missioncontrol.io, resources: [backups], resourceNames: [b]}]}
- {level: None, namespaces: [quiet]}
- {level: Metadata, nonResourceURLs: ["/openapi*", /metrics]}
"""


@pytest.mark.parametrize(
    ("method", "path", "level"),
    [
        ("POST", f"{GV}/namespaces/a/backups", "Request"),
        ("PUT", f"{GV}/namespaces/a/datacenters/x/scale", "RequestResponse"),
        ("GET", f"{GV}/namespaces/a/backups/b", "Metadata"),
        ("GET", f"{GV}/namespaces/a/backups/c", "None"),
        ("GET", "/openapi/v2", "Metadata"),
        ("GET", "/metrics", "Metadata"),
        ("GET", "/metrics/x", "None"),
        ("GET", "/version", "None"),
    ],
)
def test_the_first_rule_that_matches_decides(method: str, path: str, level: str) -> None:
    assert judged(parse(yaml.safe_load(POLICY)), call(method, path)) == level


def test_stages_and_managed_fields_are_inherited_and_overridden() -> None:
    policy = parse(yaml.safe_load(POLICY))
    create = policy.judge(call("POST", f"{GV}/namespaces/a/backups").info, ALICE)
    assert (create.level, create.omit_managed_fields) == (Level.REQUEST, True)
    scale = policy.judge(call("PUT", f"{GV}/namespaces/a/datacenters/x/scale").info, ALICE)
    assert scale.omit_stages == {"RequestReceived", "ResponseStarted"}
    assert not scale.omit_managed_fields


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "it must be an object"),
        ("{kind: Policy}", "Policy of audit.k8s.io/v1"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy}", "at least one"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Some}]}", "rules[0].level"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, user: [a]}]}", "'user'"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, users: a}]}", "rules[0].users"),
        (
            "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, omitStages: [X]}]}",
            "'X' is none of",
        ),
        (
            "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, nonResourceURLs: [/a*b]}]}",
            "may only end it",
        ),
        ("{a", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_used_says_why(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError, match=str(file)) as caught:
        load(file)
    assert complaint in str(caught.value)


def test_what_was_handed_over_is_written_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "audit.log"
    with Sink(str(file), Rotation()) as sink:
        sink.put(b"one\n")
        sink.put(lambda: b"two\n")
    assert file.read_bytes() == b"one\ntwo\n"
    assert file.stat().st_mode & 0o777 == 0o600
    with Sink(str(file), Rotation()) as sink:
        sink.put(b"three\n")
    assert file.read_bytes() == b"one\ntwo\nthree\n"


def test_a_full_file_is_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    file = tmp_path / "audit.log"
    (tmp_path / "audit-notes.log").write_text("not ours")
    for number in range(4):
        now[0] += 1
        with Sink(str(file), Rotation(megabytes=1, backups=2), now=lambda: now[0]) as sink:
            sink.put(b"%d" % number * 1_000_000 + b"\n")
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == [
        "audit-2023-11-14T22-13-23.000.log",
        "audit-2023-11-14T22-13-24.000.log",
        "audit-notes.log",
        "audit.log",
    ]


def test_too_many_are_dropped_and_counted(tmp_path: Path) -> None:
    sink = Sink(str(tmp_path / "audit.log"), Rotation())
    for _ in range(WAITING + 3):
        sink.put(b"x\n")
    assert sink.dropped == 3


def test_a_disk_that_is_full_stops_nobody(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with Sink("/dev/full", Rotation()) as sink:
        sink.put(b"x\n")
    assert (sink.written, sink.failed) == (0, 1)


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        Sink(str(tmp_path / "file" / "audit.log"), Rotation())


def test_times_have_microseconds() -> None:
    assert stamp(1_700_000_000) == "2023-11-14T22:13:20.000000Z"


def test_a_number_that_no_integer_type_holds_is_recorded_as_it_came() -> None:
    line = encode({"requestObject": {"replicas": 2**70}}, 1 << 20)
    assert json.loads(line) == {"requestObject": {"replicas": 2**70}}
    assert line.endswith(b"\n")
