"""Paths, selectors, Accept headers, bodies, durations: what clients send, and what is refused."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apiserver import body, budget, negotiate, selectors
from apiserver.call import manager_of
from apiserver.negotiate import LIST, SINGLE, Accepted, Shape
from apiserver.patching import merge
from apiserver.requestinfo import complaint, parse
from apiserver.status import Failure

GV = "/apis/missioncontrol.io/v1alpha1"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", f"{GV}/namespaces/a/rollingrestarts/x", {}, ("get", "a", "rollingrestarts", "x", "")),
        ("GET", f"{GV}/namespaces/a/rollingrestarts", {}, ("list", "a", "rollingrestarts", "", "")),
        ("GET", f"{GV}/rollingrestarts", {"watch": "true"}, ("watch", "", "rollingrestarts", "", "")),
        ("GET", f"{GV}/rollingrestarts", {"watch": "0"}, ("list", "", "rollingrestarts", "", "")),
        ("GET", f"{GV}/watch/namespaces/a/rollingrestarts", {}, ("watch", "a", "rollingrestarts", "", "")),
        ("POST", f"{GV}/namespaces/a/x/y/cancel", {}, ("create", "a", "x", "y", "cancel")),
        ("PUT", f"{GV}/dataplanes/p/status", {}, ("update", "", "dataplanes", "p", "status")),
        ("PATCH", f"{GV}/dataplanes/p", {}, ("patch", "", "dataplanes", "p", "")),
        ("DELETE", f"{GV}/namespaces/a/x", {}, ("deletecollection", "a", "x", "", "")),
        ("DELETE", f"{GV}/namespaces/a/x/y", {}, ("delete", "a", "x", "y", "")),
        ("GET", f"{GV}/namespaces/a/x/b%2Fc", {}, ("get", "a", "x", "b", "c")),
        ("GET", f"{GV}//x", {}, ("get", "", "", "x", "")),
    ],
)
def test_paths(method: str, path: str, query: dict[str, str], expected: tuple[str, ...]) -> None:
    info = parse(method, path, query)
    assert (info.verb, info.namespace, info.resource, info.name, info.subresource) == expected
    assert info.is_resource


@pytest.mark.parametrize("path", ["/", "/apis", "/apis/missioncontrol.io", GV, "/healthz", "/metrics"])
def test_what_is_no_resource(path: str) -> None:
    assert not parse("GET", path, {}).is_resource


@given(st.text("/%aபapis.2F ", max_size=30))
def test_any_path_can_be_read(path: str) -> None:
    parse("GET", "/" + path, {})


@pytest.mark.parametrize(
    ("selector", "terms"),
    [
        ("a=b,c!=d", [("a", "b", True), ("c", "d", False)]),
        ("metadata.name==x", [("metadata.name", "x", True)]),
        (r"a=b\,c\=d", [("a", "b,c=d", True)]),
        ("a=", [("a", "", True)]),
        ("metadata.name = x", [("metadata.name ", " x", True)]),
        ("=,!=,,", []),
        ("", []),
    ],
)
def test_field_selectors(selector: str, terms: list[tuple[str, str, bool]]) -> None:
    parsed = selectors.parse_fields(selector)
    assert [(term.field, term.value, term.equal) for term in parsed] == terms
    assert selectors.parse_fields(selectors.format_fields(parsed)) == parsed


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("x=1,a>b", "invalid selector: 'x=1,a>b'; can't understand 'a>b'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=b\c", r"invalid field selector: invalid escape sequence: \c"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_field_selectors_that_are_none(selector: str, why: str) -> None:
    with pytest.raises(Failure, match=f"^{re.escape(why)}$"):
        selectors.parse_fields(selector)


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a==b,c", {"a": "b"}, False),
        ("a!=b", {}, True),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b,c),x/y", {"x/y": ""}, True),
        ("!a", {"a": ""}, False),
        ("a>5,a<7", {"a": "6"}, True),
        ("a > 5", {"a": "5"}, False),
        ("a<5", {}, False),
        ("a>5", {"a": "x"}, False),
        ("", {}, True),
    ],
)
def test_label_selectors(selector: str, labels: dict[str, str], expected: bool) -> None:
    assert selectors.labels_match(selectors.parse_labels(selector), labels) is expected


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_AS = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PARTIAL = f"application/vnd.kubernetes.protobuf;{_AS},application/json;{_AS},application/json"


@pytest.mark.parametrize(
    ("header", "shapes", "expected"),
    [
        pytest.param("", SINGLE, negotiate.JSON, id="nothing is JSON"),
        pytest.param("*/*", SINGLE, negotiate.JSON, id="anything is JSON"),
        pytest.param(f"{TABLE},application/json", LIST, Accepted(Shape.TABLE), id="kubectl get"),
        pytest.param(PARTIAL, LIST, Accepted(Shape.METADATA_LIST), id="the collector: no protobuf"),
        pytest.param("application/yaml", SINGLE, Accepted(yaml=True), id="YAML"),
        pytest.param(
            "application/json;as=Table;v=v9;g=meta.k8s.io,*/*", LIST, negotiate.JSON,
            id="an unknown version is skipped",
        ),
        pytest.param("application/cbor,application/json;q=0.1", SINGLE, negotiate.JSON, id="CBOR is skipped"),
        pytest.param(
            "application/json;q=0.1,application/yaml;q=0.9", SINGLE, Accepted(yaml=True), id="weights count"
        ),
        pytest.param("*/*,application/yaml;q=0.1", SINGLE, Accepted(yaml=True), id="the exact goes first"),
        pytest.param(
            "application/json;q=x,application/yaml;q=0.1", SINGLE, Accepted(yaml=True), id="no weight is 0"
        ),
        pytest.param("a/b/c,application,*", SINGLE, negotiate.JSON, id="a star alone is anything"),
        pytest.param(
            'application/json;as="Table";v=v1;g=meta.k8s.io,*/*', LIST, negotiate.JSON, id="quotes count"
        ),
        pytest.param("application/json;AS=Table;q=1", LIST, negotiate.JSON, id="letters count"),
        pytest.param("application/json;as=;q=1", LIST, negotiate.JSON, id="an empty parameter is none"),
    ],
)  # fmt: skip
def test_accept(header: str, shapes: frozenset[Shape], expected: Accepted) -> None:
    assert negotiate.accept(header, shapes) == expected


@pytest.mark.parametrize(
    "header",
    [
        "application/vnd.kubernetes.protobuf",
        "text/html",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;v=v1;g=meta.k8s.io",
        "application/json;stream=other",
        "application/yaml;stream=watch",
        ",",
        "a/b/c",
    ],
)
def test_what_cannot_be_served_is_406(header: str) -> None:
    with pytest.raises(Failure) as caught:
        negotiate.accept(header, SINGLE)
    assert caught.value.code == 406


def test_a_list_is_no_single_object() -> None:
    with pytest.raises(Failure, match="the requested object is a list"):
        negotiate.accept(
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json", LIST
        )


def test_a_watch_in_yaml_is_refused() -> None:
    with pytest.raises(Failure, match="application/json;stream=watch"):
        negotiate.accept_stream("application/yaml,application/json")
    assert negotiate.accept_stream("application/json,application/yaml") == negotiate.JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2001-01-01", {"a": "2001-01-01"}),
        ("a: yes", {"a": True}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 0777", {"a": 511}),
        ("a: 1e3", {"a": 1000.0}),
        ("1: x", {"1": "x"}),
        ("base: &b {x: 1}\nother: {<<: *b, y: 2}", {"base": {"x": 1}, "other": {"x": 1, "y": 2}}),
        ('{"a": null}', {"a": None}),
        ("a: 5.0.4", {"a": "5.0.4"}),
        ("a:", {"a": None}),
        # of the first document the end is enough
        ("a: 1\n---\n}{", {"a": 1}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": 1} then', {"a": 1}),
    ],
)
def test_yaml_is_read_as_kubernetes_reads_it(text: str, value: object) -> None:
    assert body.decode_yaml(text.encode()).value == value


@pytest.mark.parametrize(
    "data",
    [
        b"a: [",
        b"\xff",
        b"a: !!python/object:os.system x",
        b"? [a]\n: b",
        b"a: !!binary aGk=\n",
    ],
)
def test_yaml_that_is_refused(data: bytes) -> None:
    with pytest.raises(Failure) as caught:
        body.decode_yaml(data)
    assert caught.value.code == 400


def test_anchors_cannot_be_used_to_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(Failure) as caught:
        body.decode_yaml("\n".join(lines).encode())
    assert caught.value.code == 413


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, 400, id="flow lists"),
        pytest.param(b'{"a":' * 50_000, 400, id="what begins like JSON"),
        pytest.param(b"\n".join(b" " * n + b"a:" for n in range(600)), 400, id="indentation"),
        pytest.param(b"{" + b",".join(b"k%d: 1" % n for n in range(200_000)) + b"}", 413, id="many keys"),
        pytest.param(
            b'a: &a "' + b"x" * 1_000_000 + b'"\nb: [' + b"*a," * 5_000 + b"1]", 413, id="long text"
        ),
        pytest.param(
            b"a: &a {x: 1}\n"
            + b"".join(
                b"%c: &%c {k%c: 1, <<: [%s]}\n" % (n, n, n, b",".join([b"*%c" % (n - 1)] * 9))
                for n in range(ord("b"), ord("z"))
            ),
            413,
            id="merges of merges",
        ),
        pytest.param(b"a: .inf\nb: 1e999", 400, id="infinity"),
        pytest.param(b"a: 0x" + b"f" * 50_000, 400, id="a number of more than 64 bits"),
        pytest.param(b'a: "\\ud800"', 400, id="half a character"),
    ],
)
def test_yaml_made_to_hurt_is_refused_soon(data: bytes, code: int) -> None:
    began = time.process_time()
    with pytest.raises(Failure) as caught:
        body.decode_yaml(data)
    assert caught.value.code == code
    assert time.process_time() - began < 3


def test_json_is_taken_for_yaml_with_the_keys_that_it_gives_twice() -> None:
    assert body.decode_yaml(b' {"a": {"b": 1, "b": 2}}').duplicates == ("a.b",)
    assert body.decode_yaml(b"{a: 1, # not JSON\n b: 2}").value == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": ' * 600 + b"1" + b"}" * 600,
        b'{"a": 99999999999999999999}',
    ],
)
def test_json_that_is_refused(data: bytes) -> None:
    with pytest.raises(Failure) as caught:
        body.decode_json(data)
    assert caught.value.code == 400


class _Pairs(list[Any]):
    """An object as it is written."""


def _written(value: Any, colon: str, *, ascii: bool) -> str:
    def inner(each: Any) -> str:
        return _written(each, colon, ascii=ascii)

    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{inner(key)}{colon}{inner(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(inner, value)) + "]"
    return json.dumps(value, ensure_ascii=ascii)


@pytest.mark.parametrize(
    ("data", "value", "duplicates"),
    [
        pytest.param(b'{"a": {"b" : 1}, "c":[{"d"\n:2}]}', {"a": {"b": 1}, "c": [{"d": 2}]}, (), id="none"),
        pytest.param(b'{"a":1,"\\u0061":2}', {"a": 2}, ("a",), id="one that is written in two ways"),
        pytest.param(
            b'{"a":"x\\":y","b":1,"b":2}', {"a": 'x":y', "b": 2}, ("b",), id="beside what looks like one"
        ),
        pytest.param(b'{"a":"x\\":y"}', {"a": 'x":y'}, (), id="only what looks like one"),
        pytest.param(b'{"":1,"":2,":":3}', {"": 2, ":": 3}, ("",), id="an empty one"),
        pytest.param(b'{"a":9007199254740993123}', {"a": 9007199254740993123}, (), id="a long number"),
        pytest.param(rb'{"<":"\u003c\\u003e","\u003c":1}', {"<": 1}, ("<",), id="signs as Go writes them"),
    ],
)
def test_json_with_and_without_keys_given_twice(data: bytes, value: Any, duplicates: tuple[str, ...]) -> None:
    found = body.decode_json(data)
    assert (found.value, found.duplicates) == (value, duplicates)


_NAMES = st.sampled_from(["a", '"', ":", '":', '" :', "\\", "<", "\\u003c"])


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.lists(st.tuples(_NAMES, inner), max_size=3).map(_Pairs)


@given(
    st.recursive(st.none() | st.integers(-5, 5) | st.text(max_size=5) | _NAMES, _nested),
    st.sampled_from([":", ": ", " :"]),
    st.booleans(),
)
@example([_Pairs([("a", 1), ("a", 2)]), '":'], ":", False)
def test_keys_are_counted_right_whatever_they_are(written: Any, colon: str, ascii: bool) -> None:
    """Against the slow way, which looks at each key."""
    text = _written(written, colon, ascii=ascii)
    assert body.decode_json(text.encode(), keep=True).value == json.loads(
        text, object_pairs_hook=lambda pairs: body._object(pairs, [], True)
    )


def test_what_clients_write_is_seen_at_once_to_say_all() -> None:
    value = {"a b": ["<&>", 'x": "y', 1.5, -7, None], "é": {"": True, ":": ["\\", "\n"]}}
    for text in (
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, ensure_ascii=False, indent=2) + "\n",
        # Go's signs for "<", ">" and "&"
        json.dumps(value, ensure_ascii=False).replace("<&>", r"\u003c\u0026\u003e"),
    ):
        assert body._says_all(value, text.encode())
    assert not body._says_all(value, json.dumps(value).encode())  # but true all the same


def test_keys_given_twice_are_found_with_their_paths() -> None:
    found = body.decode_json(
        b'{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 1, "d": 2}], "a": {"b": 3, "b": 4}}'
    )
    assert found.duplicates == ("a", "a.b", "c[0].d")
    assert body.decode_yaml(b"a:\n  b: 1\n  b: 2\n").duplicates == ("a.b",)


@given(st.binary(max_size=60))
@example(b"a: &a [*a]")
def test_no_bytes_break_the_decoders(data: bytes) -> None:
    for decode in (body.decode_json, body.decode_yaml):
        with contextlib.suppress(Failure):
            decode(data)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("1m30s", 60.0),
        ("500ms", 0.5),
        ("8m47s", 60.0),
        ("0s", 60.0),
        ("0", 60.0),
        (None, 60.0),
        ("", 60.0),
        ("-5s", 60.0),
        ("+2s", 2.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1500000µs", 1.5),
        ("3h", 60.0),
    ],
)
def test_timeouts(text: str | None, seconds: float) -> None:
    assert budget.of(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5", "missing unit in"),
        ("1s1", "missing unit in"),
        ("1.5.5s", "missing unit in"),
        ("1d", 'unknown unit "d" in'),
        ("-1h2x", 'unknown unit "x" in'),
        ("5 s", 'unknown unit " s" in'),
        ("x", "invalid"),
        ("s", "invalid"),
        (".s", "invalid"),
        ("٣s", "invalid"),
    ],
)
def test_timeouts_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(Failure, match=re.escape(f'time: {problem} duration "{text}"')):
        budget.of(text)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/merge-patch+json", "application/merge-patch+json"),
        ("application/merge-patch+json; charset=odd;;", "application/merge-patch+json"),
        ("APPLICATION/MERGE-PATCH+JSON", None),
        ("application/merge-patch+json ;q=1", None),
        ("application/json", None),
        ("", None),
        (None, None),
    ],
)
def test_the_type_of_a_patch_is_compared_letter_by_letter(content_type: str | None, kind: str | None) -> None:
    if kind is not None:
        assert body.patch_type(content_type) == kind
        return
    with pytest.raises(Failure) as caught:
        body.patch_type(content_type)
    assert caught.value.code == 415


def test_managers_come_from_user_agents() -> None:
    assert manager_of("kubectl/v1.36.3 (linux/amd64)") == "kubectl"
    assert manager_of("") == "unknown"
    assert len(manager_of("x" * 1000)) == 128


def test_merge_removes_with_null() -> None:
    assert merge({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None, "b": {"c": 3}}) == {"b": {"c": 3, "d": 2}}


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("a.b-c", True),
        ("", True),
        ("a..b", True),
        (".", False),
        ("..", False),
        ("a/b", False),
        ("a%2fb", False),
    ],
)
def test_names_that_would_mean_another_place(name: str, fine: bool) -> None:
    assert (complaint(name) == "") is fine
