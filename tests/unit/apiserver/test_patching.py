"""JSON patches, as kube-apiserver understands them."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.patching import MAX_OPERATIONS, json_patch
from apiserver.status import Failure

DOCUMENT = {"spec": {"replicas": 1, "none": None}, "list": ["a", "b"], "deep": {"a/b": {"c~d": 1}}}


def of(op: str, path: Any, **more: Any) -> dict[str, Any]:
    return {"op": op, "path": path, **more}


def taken(op: str, origin: str, path: str) -> dict[str, Any]:
    return of(op, path, **{"from": origin})


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(of("replace", "/list", value=3), {"list": 3}, id="replace"),
        pytest.param(of("replace", "/new", value=3), {"new": 3}, id="replace what is missing"),
        pytest.param(of("add", "/new"), {"new": None}, id="a value that is not there is null"),
        pytest.param(of("add", "spec/new", value=1), {"new": 1}, id="before the first slash"),
        pytest.param(taken("copy", "/nope", "/new"), {"new": None}, id="copy what is missing"),
        pytest.param(taken("copy", "/list/-1", "/new"), {"new": "b"}, id="the last of a list"),
        pytest.param(taken("move", "/deep/a~1b", "/new"), {"deep": {}, "new": {"c~d": 1}}, id="move"),
        pytest.param(of("remove", "/deep/a~1b/c~0d"), {"deep": {"a/b": {}}}, id="escapes"),
        pytest.param(of("add", "/list/-", value="c"), {"list": ["a", "b", "c"]}, id="append"),
        pytest.param(of("add", "/list/2", value="c"), {"list": ["a", "b", "c"]}, id="add after the last"),
        pytest.param(of("add", "/list/-1", value="c"), {"list": ["a", "b", "c"]}, id="-1 is after the last"),
        pytest.param(of("add", "/list/+0", value="c"), {"list": ["c", "a", "b"]}, id="an index with a sign"),
        pytest.param(of("remove", "/list/-2"), {"list": ["b"]}, id="remove from the end"),
        pytest.param(of("replace", "/list/1", value=None), {"list": ["a", None]}, id="an element"),
        pytest.param(of("test", "/nope"), {}, id="what is missing is null"),
        pytest.param(of("test", "/spec/none", value=None), {}, id="null is null"),
        pytest.param(of("test", "", value=DOCUMENT), {}, id="the whole is tested"),
    ],
)  # fmt: skip
def test_what_an_operation_does(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert json_patch(DOCUMENT, [operation]) == {**DOCUMENT, **expected}


def test_the_whole_can_be_replaced_by_an_object_or_a_list() -> None:
    assert json_patch(DOCUMENT, [of("replace", "", value=[1])]) == [1]
    assert json_patch(DOCUMENT, [of("replace", "", value={}), of("add", "/a", value=1)]) == {"a": 1}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(of("test", "/spec/replicas", value=2), id="another value"),
        pytest.param(of("test", "/spec/replicas", value=True), id="true is not 1"),
        pytest.param(of("test", "/spec/replicas", value=1.0), id="1.0 is not 1"),
        pytest.param(of("test", "/spec/replicas"), id="tested for nothing"),
        pytest.param(of("remove", "/none"), id="remove what is missing"),
        pytest.param(taken("move", "/none", "/new"), id="move what is missing"),
        pytest.param(of("move", "/new"), id="move from nowhere"),
        pytest.param(taken("copy", "/none/below", "/new"), id="copy from below what is missing"),
        pytest.param(of("add", "/none/below", value=1), id="add below what is missing"),
        pytest.param(of("add", "/spec/replicas/below", value=1), id="add below a number"),
        pytest.param(of("add", "/list/3", value=1), id="beyond a list"),
        pytest.param(of("add", "/list/-4", value=1), id="before a list"),
        pytest.param(of("add", "/list/x", value=1), id="no index"),
        pytest.param(of("add", "/list/²", value=1), id="a digit that is none"),
        pytest.param(of("add", "/list/" + "9" * 5000, value=1), id="an index of 5000 digits"),
        pytest.param(of("replace", "/list/2", value=1), id="replace beyond a list"),
        pytest.param(of("remove", "/list/-"), id="remove the end"),
        pytest.param(of("dance", "/spec"), id="an unknown operation"),
        pytest.param(of("add", "spec", value=1), id="a path without a slash"),
        pytest.param(of("add", "", value=1), id="add the whole"),
        pytest.param(of("add", 5, value=1), id="a path that is none"),
        pytest.param({"op": "add", "value": 1}, id="no path"),
        pytest.param(of("replace", "", value=5), id="a number in place of the whole"),
    ],
)
def test_operations_that_do_not_fit(operation: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        json_patch(DOCUMENT, [operation])
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("operations", "code"), [({}, 400), ([1], 400), ([of("test", "/nope")] * (MAX_OPERATIONS + 1), 413)]
)
def test_what_is_no_patch(operations: Any, code: int) -> None:
    with pytest.raises(Failure) as caught:
        json_patch(DOCUMENT, operations)
    assert caught.value.code == code


def test_copies_that_double_what_is_there_end_early() -> None:
    double = [of("copy", f"/spec/{number}", **{"from": "/spec"}) for number in range(1000)]
    with pytest.raises(Failure) as caught:
        json_patch(DOCUMENT, double)
    assert caught.value.code == 422
    assert json_patch(DOCUMENT, double[:10])["spec"].keys() > {"replicas", "0", "9"}


def test_what_is_patched_stays_as_it_was() -> None:
    document = {"a": {"b": [1]}}
    operations = [
        of("add", "/a/b/-", value={"c": 1}),
        of("copy", "/d", **{"from": "/a"}),
        of("remove", "/a/b/0"),
    ]
    assert json_patch(document, operations) == {"a": {"b": [{"c": 1}]}, "d": {"b": [1, {"c": 1}]}}
    assert document == {"a": {"b": [1]}}
