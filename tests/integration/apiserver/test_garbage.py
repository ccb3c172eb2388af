"""Whatever is thrown at the server comes back soon as a refusal that can be read, and the server lives on."""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from missioncontrol.api.resources import STORED_CLUSTERS
from tests.servers import Facade

GV = "/apis/missioncontrol.io/v1alpha1"
HERE = f"{GV}/namespaces/default/missioncontrolclusters"
EXAMPLES_FOLDER = Path(__file__).resolve().parents[3] / "examples"
JSON_PATCH = "application/json-patch+json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
SECONDS = 10.0
GROWTH = 150 << 20
"""Bytes that the server may grow by over all of this."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
modest = settings(
    max_examples=EXAMPLES * 10 or 40, deadline=None, derandomize=not EXAMPLES, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip


@pytest.fixture(scope="module")
def session(facade: Facade) -> Iterator[requests.Session]:
    """Straight to the server; at the end it must be the same process, about as large as before."""
    before = facade.pid
    size = resident(before)
    with requests.Session() as made:
        pair = facade.plane.front_proxy_client
        made.cert, made.verify = (str(pair.cert), str(pair.key)), str(facade.folder / "ca.crt")
        made.headers.update({"X-Remote-User": "root", "X-Remote-Group": "system:masters"})
        yield made
    assert facade.is_ready()
    assert facade.pid == before
    assert resident(before) - size < GROWTH


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def throw(
    facade: Facade, session: requests.Session, method: str, path: str, *, found: bool = True, **options: Any
) -> requests.Response:
    """Send it; the answer is no fault of the server, can be read, and comes soon."""
    began = time.monotonic()
    request = requests.Request(method, facade.url + path, **options)
    prepared = session.prepare_request(request)
    prepared.url = facade.url + path
    answer = session.send(prepared, verify=session.verify, cert=session.cert, timeout=SECONDS)
    took = time.monotonic() - began
    told = f"{method} {path} {str(options)[:300]}: {answer.status_code} {answer.text[:300]}"
    assert took < SECONDS, told
    # 500 is what kube-apiserver itself says, of a CRD as well, when an apply does not fit the schema, and
    # when a version is no number
    unfit = (method == "PATCH" and "failed to create typed patch object" in answer.text) or (
        method == "GET" and "strconv.ParseUint: parsing" in answer.text
    )
    assert answer.status_code < 500 or answer.status_code == 504 or unfit, told
    if method == "HEAD":
        return answer
    if answer.status_code >= 400 and answer.headers["Content-Type"].startswith("application/json"):
        status = answer.json()
        assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", answer.status_code)
        assert "Traceback" not in answer.text, told
    elif answer.status_code >= 400:
        assert answer.status_code in (404, 406), told
    return answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["apiVersion", "kind", "metadata", "spec", "status", "name", "labels", "ownerReferences", "uid",
             "finalizers", "managedFields", "annotations", "k8ssandra", "op", "path", "value", "from"]
        ) | st.text(max_size=4),
        below, max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip
TYPES = st.sampled_from(
    ["application/json", "application/yaml", "application/merge-patch+json",
     "application/json-patch+json", "application/apply-patch+yaml",
     "application/strategic-merge-patch+json", "text/plain", "", "a/b;q=x",
     "application/json; charset=utf-16", "application/vnd.kubernetes.protobuf", "application/cbor", ";;;"]
)  # fmt: skip
METHODS = st.sampled_from(["POST", "PUT", "PATCH", "DELETE"])
PLACES = st.sampled_from(
    [HERE, f"{HERE}/demo", f"{HERE}/demo/status", f"{HERE}/demo/scale", f"{HERE}/demo/rollingrestart",
     f"{GV}/namespaces/default/rollingrestarts", f"{GV}/namespaces/default/rollingrestarts/r1",
     f"{GV}/namespaces/default/rollingrestarts/r1/cancel",
     f"{GV}/namespaces/default/operations/rollingrestart.r1", f"{GV}/dataplanes/x"]
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [("POST", HERE), ("PUT", f"{HERE}/demo")])
@pytest.mark.parametrize("kind", [PROTOBUF, PROTOBUF.title()])
def test_protobuf_never_reaches_the_store(
    facade: Facade, session: requests.Session, method: str, path: str, kind: str
) -> None:
    # of a custom resource, kube-apiserver would break off without an answer
    answer = throw(facade, session, method, path, data=b"k8s\x00x", headers={"Content-Type": kind})
    assert answer.status_code == 415


IDENTITY = {"apiVersion": "missioncontrol.io/v1alpha1", "kind": "MissionControlCluster"}


@modest
@given(method=METHODS, place=PLACES, value=JSON, content_type=TYPES)
def test_documents_of_any_shape(
    facade: Facade, session: requests.Session, method: str, place: str, value: Any, content_type: str
) -> None:
    query = "?fieldManager=x&dryRun=All" if method != "DELETE" else "?dryRun=All"
    body = json.dumps(value).encode()
    throw(facade, session, method, place + query, data=body, headers={"Content-Type": content_type})
    metadata = {"name": "x", "labels": value, "annotations": value, "finalizers": value}
    whole = {**IDENTITY, "spec": value, "metadata": metadata}
    headers = {"Content-Type": "application/json"}
    throw(facade, session, "POST", f"{HERE}?dryRun=All", data=json.dumps(whole).encode(), headers=headers)


@modest
@given(method=METHODS, place=PLACES, data=st.binary(max_size=200), content_type=TYPES)
def test_bytes_that_are_no_document(
    facade: Facade, session: requests.Session, method: str, place: str, data: bytes, content_type: str
) -> None:
    throw(
        facade,
        session,
        method,
        f"{place}?dryRun=All&fieldManager=x",
        data=data,
        headers={"Content-Type": content_type},
    )


OBJECT = (
    b'{"apiVersion":"missioncontrol.io/v1alpha1","kind":"MissionControlCluster",'
    b'"metadata":{"name":"x"},"spec":'
)
LONG = b'a: &a "' + b"x" * 1_000_000 + b'"\n'
MERGES = b"a: &a {x: 1}\n" + b"".join(
    b"%c: &%c {k%c: 1, <<: [%s]}\n" % (n, n, n, b",".join([b"*%c" % (n - 1)] * 9))
    for n in range(ord("b"), ord("z"))
)
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in range(ord("b"), ord("m"))
)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/yaml", "application/apply-patch+yaml"]
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(OBJECT + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep lists"),
        pytest.param(OBJECT + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, id="deep objects"),
        pytest.param(OBJECT + b"9" * 100_000 + b"}", id="a number of a hundred thousand digits"),
        pytest.param(OBJECT + b"1e999999}", id="a number without end"),
        pytest.param(OBJECT + b"NaN}", id="not a number"),
        pytest.param(OBJECT + b'{"a":1,"a":2,"\xc3\x28":1}}', id="broken UTF-8"),
        pytest.param(OBJECT + b'"\\ud800"}', id="half a character"),
        pytest.param(OBJECT + b"{" + b",".join(b'"k%d":1' % n for n in range(90)) + b"}}", id="wide"),
        pytest.param(OBJECT + b"{" + b'"k":1,' * 200_000 + b'"k":1}}', id="one key very often"),
        pytest.param(b" " * (4 << 20), id="four megabytes of nothing"),
        pytest.param(BOMB, id="a bomb of anchors"),
        pytest.param(b"a: &a [*a]\n", id="an anchor that holds itself"),
        pytest.param(b"a: &a {<<: *a, b: 1}\n", id="a merge with itself"),
        pytest.param(MERGES, id="a bomb of merges"),
        pytest.param(b"x: " + b"- " * 800 + b"1", id="nested without brackets"),
        pytest.param(LONG + b"b: [" + b"*a," * 5_000 + b"1]", id="large text very often"),
        pytest.param(b'a: "\\ud800"\n', id="half a character in YAML"),
        pytest.param(b"a: .inf\nb: 1e999\n", id="infinity"),
        pytest.param(b"&a a: *a\n*a : 1\n? [1,2]\n: 3\n", id="odd keys"),
        pytest.param(b"a: !!python/object/apply:os.system ['true']\n", id="a tag that would run a program"),
        pytest.param(b"--- 1\n--- 2\n", id="two documents"),
        pytest.param(b"x: " + b"- " * 20_000, id="lists in one line"),
        pytest.param(b"{" * 5_000, id="flow without end"),
        pytest.param(b'"' + b"\\x41" * 500_000 + b'"', id="escapes"),
        pytest.param(b"a: 0x" + b"f" * 50_000, id="a hexadecimal number"),
        pytest.param(b"a: " + b"1_" * 50_000 + b"1", id="a number with underscores"),
        pytest.param(b"\xff\xfe" + "a: 1".encode("utf-16-le"), id="another encoding"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_bodies_made_to_hurt(
    facade: Facade, session: requests.Session, body: bytes, content_type: str
) -> None:
    apply = content_type.startswith("application/apply")
    method, path = (
        ("PATCH", f"{HERE}/x?dryRun=All&fieldManager=x") if apply else ("POST", f"{HERE}?dryRun=All")
    )
    throw(facade, session, method, path, data=body, headers={"Content-Type": content_type})
    assert throw(facade, session, "GET", HERE).status_code == 200


TEXT = st.text(max_size=30) | st.sampled_from(
    ["a in (", "a in (b,c),!d", "metadata.name=x,metadata.name=y", "spec.x=1", "=", "a=b=c", "!",
     "," * 500, "metadata.name=\\", "(" * 200, "a notin ()", "-1", "0", "999999999999999999999999", "1e9",
     "NaN", "true"]
)  # fmt: skip
PARAMETERS = st.sampled_from(
    ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch",
     "timeout", "timeoutSeconds", "pretty", "includeObject", "allowWatchBookmarks", "sendInitialEvents",
     "dryRun", "force", "fieldManager", "fieldValidation", "gracePeriodSeconds", "propagationPolicy",
     "orphanDependents", "hash"]
)  # fmt: skip


@modest
@given(query=st.lists(st.tuples(PARAMETERS, TEXT), max_size=4), place=PLACES, watch=st.booleans())
def test_parameters_of_any_kind(
    facade: Facade, session: requests.Session, query: list[tuple[str, str]], place: str, watch: bool
) -> None:
    # the first one counts: no watch lasts, and nothing is deleted
    more = [("watch", "true"), ("timeoutSeconds", "1"), ("timeout", "5s")] if watch else [("timeout", "5s")]
    encoded = requests.models.RequestEncodingMixin._encode_params([*more, *query])
    throw(facade, session, "GET", f"{place}?{encoded}")
    encoded = requests.models.RequestEncodingMixin._encode_params([("dryRun", "All"), *query])
    throw(facade, session, "DELETE", f"{place}?{encoded}")


SEGMENTS = st.sampled_from(
    ["apis", "missioncontrol.io", "v1alpha1", "namespaces", "default", "missioncontrolclusters",
     "operations", "watch", "rollingrestarts", "status", "scale", "cancel", "..", ".", "", "%2e%2e",
     "%2f", "%00", "%", "%zz", "%ff", "a" * 300, "openapi", "v3", "healthz", "livez", "metrics",
     "version", "é", "a%0d%0ab", "$metadata", "*", "demo"]
)  # fmt: skip


@modest
@given(
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X"]
    ),
    segments=st.lists(SEGMENTS, max_size=9),
    inside=st.booleans(),
)
def test_paths_of_any_kind(
    facade: Facade, session: requests.Session, method: str, segments: list[str], inside: bool
) -> None:
    path = (f"{GV}/" if inside else "/") + "/".join(segments)
    ascii_path = path.encode("utf-8").decode("latin-1").encode("ascii", "replace").decode()
    answer = throw(facade, session, method, f"{ascii_path}?timeoutSeconds=1&dryRun=All")
    assert not answer.is_redirect


HEADERS = st.sampled_from(
    ["Accept", "Accept-Encoding", "If-None-Match", "If-Match", "Range", "Content-Encoding",
     "X-Remote-Uid", "X-Remote-Extra-A%zz", "X-Remote-Extra-", "Audit-ID", "User-Agent", "Origin",
     "Cookie", "Upgrade", "X-Forwarded-For", "Impersonate-User", "Impersonate-Extra-", "Authorization",
     "Sec-WebSocket-Protocol"]
)  # fmt: skip
PRINTABLE = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip)
VALUES = PRINTABLE | st.sampled_from(
    ["application/json;as=Table;v=v9;g=meta.k8s.io", "application/json;as=" + "x" * 5000, "*/*;q=-1",
     "a/b," * 500, "application/vnd.kubernetes.protobuf", "Bearer x", "Bearer " + "." * 4000,
     "Basic eDp5", "bytes=0-,-1", "gzip;q=x"]
)  # fmt: skip


@modest
@given(headers=st.dictionaries(HEADERS, VALUES, max_size=5), place=PLACES)
def test_headers_of_any_kind(
    facade: Facade, session: requests.Session, headers: dict[str, str], place: str
) -> None:
    throw(facade, session, "GET", place, headers=headers)
    throw(facade, session, "POST", f"{HERE}?dryRun=All", headers=headers, data=b"{}")


def test_a_body_that_claims_to_be_packed(facade: Facade, session: requests.Session) -> None:
    bomb = gzip.compress(b" " * (64 << 20), 9)
    for data in (bomb, b"no gzip", gzip.compress(b"{}")):
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        answer = throw(facade, session, "POST", f"{HERE}?dryRun=All", data=data, headers=headers)
        assert 400 <= answer.status_code < 500


ROOT = b"Host: x\r\nX-Remote-User: root\r\nX-Remote-Group: system:masters\r\n"
HEAD = f"POST {HERE}?dryRun=All HTTP/1.1\r\n".encode() + ROOT
CHUNKED = HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", id="a chunk whose size is no number"),
        pytest.param(CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n", id="a chunk of negative size"),
        pytest.param(CHUNKED + b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n", id="a chunk larger than the world"),
        pytest.param(CHUNKED + b"2\r\n{}xx0\r\n\r\n", id="a chunk that is longer than it says"),
        pytest.param(
            CHUNKED + b"2;" + b"a" * 70_000 + b"\r\n{}\r\n0\r\n\r\n", id="a chunk with a long extension"
        ),
        pytest.param(HEAD + b"Content-Length: -5\r\n\r\n{}", id="a negative length"),
        pytest.param(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two lengths"),
        pytest.param(
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", id="length and chunks"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", id="an unknown transfer encoding"),
        pytest.param(HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n", id="many headers"),
        pytest.param(HEAD + b"Bad Header\r\n\r\n", id="a header that is none"),
        pytest.param(b"GET " + b"/a" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="a version that does not exist"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 without asking"),
        pytest.param(b"\x00\x01\x02\x03\r\n\r\n", id="no HTTP at all"),
        pytest.param(b"\r\n" * 1000, id="empty lines"),
    ],
)
def test_broken_http_is_answered_or_hung_up_on(
    facade: Facade, session: requests.Session, data: bytes
) -> None:
    context = ssl.create_default_context(cafile=str(facade.folder / "ca.crt"))
    pair = facade.plane.front_proxy_client
    context.load_cert_chain(pair.cert, pair.key)
    with (
        socket.create_connection(("127.0.0.1", facade.port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        try:
            connection.sendall(data)
            # at the level of TCP: SSLSocket.shutdown would leave nothing to decrypt the answer with
            with socket.socket(fileno=os.dup(connection.fileno())) as half:
                half.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except (ConnectionError, ssl.SSLError, BrokenPipeError):
            return
    assert not answer or answer.startswith(b"HTTP/1."), answer
    assert b" 500 " not in answer[:20]
    assert b"Traceback" not in answer


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [200, 234, 260, 400, 480])
def test_an_object_that_is_nested_deeply_is_shown_or_refused(
    facade: Facade, session: requests.Session, depth: int
) -> None:
    """Where people may write what they like."""
    made = _post_nested(facade, session, f"deep-{depth}", depth)
    assert made.status_code == (201 if depth < 240 - 5 else 400), made.text[:300]
    if made.status_code == 201:
        _read_everywhere(facade, session, f"deep-{depth}")
        assert throw(facade, session, "DELETE", f"{HERE}/deep-{depth}").status_code == 200


@pytest.mark.parametrize("depth", [300, 1500])
def test_what_is_stored_by_hand_deeper_than_that_is_shown(
    facade: Facade, session: requests.Session, depth: int
) -> None:
    """By an administrator, who may write past us what kube-apiserver takes."""
    name = f"by-hand-{depth}"
    assert _post_nested(facade, session, name, 1).status_code == 201
    deep = '{"a":' * depth + "1" + "}" * depth
    change = f'{{"spec": {{"k8ssandra": {{"cassandra": {{"config": {{"cassandraYaml": {deep}}}}}}}}}}}'
    stored = STORED_CLUSTERS.path("default", name)
    changed = requests.patch(
        facade.plane.server + stored,
        data=change,
        headers={"Content-Type": "application/merge-patch+json"},
        cert=(str(facade.plane.admin.cert), str(facade.plane.admin.key)),
        verify=str(facade.plane.ca_file),
        timeout=60,  # the fields' owners take kube-apiserver time and memory with the square of the depth
    )
    assert changed.status_code == 200, changed.text[:300]
    _read_everywhere(facade, session, name)
    copied = json.dumps([{"op": "copy", "from": PLACE, "path": f"{PLACE}/b"}])
    answer = throw(
        facade, session, "PATCH", f"{HERE}/{name}", data=copied, headers={"Content-Type": JSON_PATCH}
    )
    assert answer.status_code == 422, answer.text[:300]
    assert throw(facade, session, "DELETE", f"{HERE}/{name}").status_code == 200
    assert facade.is_ready()


PLACE = "/spec/k8ssandra/cassandra/config/cassandraYaml"
BELOW = PLACE + "/a" * 90


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(
            [{"op": "replace", "path": BELOW, "value": nested(200)}], id="something deep, far below"
        ),
        pytest.param([{"op": "copy", "path": BELOW, "from": PLACE}] * 2, id="what is there into itself"),
    ],
)
def test_no_patch_makes_an_object_deeper_than_it_may_be(
    facade: Facade, session: requests.Session, step: list[dict[str, Any]]
) -> None:
    assert _post_nested(facade, session, "deeper", 100).status_code == 201
    headers = {"Content-Type": JSON_PATCH}
    answer = throw(facade, session, "PATCH", f"{HERE}/deeper", data=json.dumps(step), headers=headers)
    assert answer.status_code == 400, answer.text[:300]
    assert "nested too deeply" in answer.text
    answer = throw(facade, session, "PATCH", f"{HERE}/deeper", data=json.dumps(step[1:]), headers=headers)
    assert answer.status_code == 200, answer.text[:300]
    _read_everywhere(facade, session, "deeper")
    assert throw(facade, session, "DELETE", f"{HERE}/deeper").status_code == 200


def test_copies_cannot_fill_the_memory(facade: Facade, session: requests.Session) -> None:
    assert _post_nested(facade, session, "doubled", 1).status_code == 201
    step = [{"op": "copy", "path": f"{PLACE}/{number}", "from": PLACE} for number in range(100)]
    headers = {"Content-Type": JSON_PATCH}
    answer = throw(facade, session, "PATCH", f"{HERE}/doubled", data=json.dumps(step), headers=headers)
    assert answer.status_code == 422, answer.text[:300]
    assert throw(facade, session, "DELETE", f"{HERE}/doubled").status_code == 200


def test_a_remembered_object_may_be_as_deep_as_texts_are_long(
    facade: Facade, session: requests.Session
) -> None:
    text = '{"a":' * 20_000 + "1" + "}" * 20_000
    remembered = text.replace("1", '"missioncontrol.io/v1alpha1"')
    answer = _post_nested(
        facade,
        session,
        "remembers",
        1,
        annotations={"kubectl.kubernetes.io/last-applied-configuration": remembered},
    )
    assert answer.status_code == 201, answer.text[:300]
    _read_everywhere(facade, session, "remembers")
    assert throw(facade, session, "DELETE", f"{HERE}/remembers").status_code == 200


def _post_nested(
    facade: Facade, session: requests.Session, name: str, depth: int, **metadata: Any
) -> requests.Response:
    spec = yaml.safe_load((EXAMPLES_FOLDER / "quickstart.yaml").read_text())["spec"]
    spec["k8ssandra"]["cassandra"]["config"] = {"cassandraYaml": nested(depth)}
    document = {**IDENTITY, "metadata": {"name": name, **metadata}, "spec": spec}
    return throw(facade, session, "POST", HERE, json=document)


def _read_everywhere(facade: Facade, session: requests.Session, name: str, *, in_yaml: bool = True) -> None:
    """An object that is stored is shown, in every way, and so are the others."""
    forms = ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"]
    watched = "?watch=true&timeoutSeconds=1&resourceVersion=0"
    queries = ("", "?resourceVersion=0", "?pretty=true")
    places = [HERE + "?limit=1", *(f"{HERE}{rest}{query}" for rest in ("", f"/{name}") for query in queries)]
    reads = [(form, place) for form in forms for place in (*places, HERE + watched)]
    reads += [("application/yaml", place) for place in places if in_yaml]
    for form, place in reads:
        shown = throw(facade, session, "GET", place, headers={"Accept": form})
        assert shown.status_code == 200, shown.text[:300]
