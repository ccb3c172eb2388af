"""Translation both ways: what a user writes comes back as it was, and nothing of the store shows."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.kinds import FACES, SERVED
from apiserver.translate import finalizers, options, patches, statuses, watch
from apiserver.translate.face import Face, stored_owner_uid
from apiserver.translate.objects import list_to_virtual, to_stored, to_virtual
from missioncontrol.api.faces import swap_uid
from missioncontrol.api.names import Finalizer

CLUSTER = SERVED["missioncontrolclusters"].face
RESTART = SERVED["rollingrestarts"].face
VIEW = SERVED["operations"].face
VG, SG = "missioncontrol.io", "storage.missioncontrol.io"
V, S = f"{VG}/v1alpha1", f"{SG}/v1alpha1"
U4, U8, U9 = (f"12345678-1234-{digit}234-8234-123456789abc" for digit in "489")

Obj = dict[str, Any]
STORED_FINALIZERS = [
    Finalizer.STORED_ORPHAN,
    Finalizer.STORED_FOREGROUND_DELETION,
    f"{Finalizer.STORED_ORPHAN}-of-user",
]

# --- the invariant ---------------------------------------------------------------------------------

_word = st.text("abcxyz-", min_size=1, max_size=6)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _word,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_word, below, max_size=3),
    max_leaves=8,
)
_uuid = st.uuids(version=4).map(str)
_fields = st.recursive(
    st.just({}), lambda below: st.dictionaries(_word.map("f:{}".format), below, max_size=3), max_leaves=6
)


def _spec(face: Face) -> st.SearchStrategy[Obj]:
    names = _word | st.sampled_from(["clusterName", "datacenters", "type", "rollingrestart", "onConflict"])
    return (
        st.dictionaries(names, _json, max_size=5)
        if face.argument
        else st.dictionaries(_word, _json, max_size=3)
    )


def _references() -> st.SearchStrategy[list[Obj]]:
    def make(kind: str, uid: str, name: str) -> Obj:
        if kind == "ConfigMap":
            return {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}
        return {"apiVersion": V, "kind": kind, "name": name, "uid": swap_uid(uid, "8")}

    kinds = st.sampled_from(["ConfigMap", "MissionControlCluster", "RollingRestart", "DataPlane"])
    return st.lists(st.builds(make, kinds, _uuid, _word), max_size=3, unique_by=lambda each: each["uid"])


_FINALIZERS = ["orphan", "foregroundDeletion", "a.b/c", *STORED_FINALIZERS]


@st.composite
def _objects(draw: st.DrawFn, face: Face) -> Obj:
    references = draw(_references())
    metadata: Obj = {
        "name": draw(_word),
        "uid": swap_uid(draw(_uuid), face.uid_version),
        "labels": draw(st.dictionaries(_word, _word, max_size=2)),
        "finalizers": draw(st.lists(st.sampled_from(_FINALIZERS), unique=True)),
        "ownerReferences": references,
    }
    spec_fields = draw(st.dictionaries(_word.map("f:{}".format), _fields, min_size=1, max_size=3))
    if draw(st.booleans()):
        spec_fields["."] = {}
    owners = ["k:" + json.dumps({"uid": each["uid"]}, separators=(",", ":")) for each in references]
    fields: Obj = {
        "f:metadata": {
            "f:finalizers": {".": {}, **{f'v:"{each}"': {} for each in metadata["finalizers"]}},
            "f:ownerReferences": {".": {}, **{owner: {} for owner in owners}},
        },
        "f:spec": spec_fields,
    }  # fmt: skip
    operation = draw(st.sampled_from(["Apply", "Update"]))
    metadata["managedFields"] = [
        {
            "manager": "m",
            "operation": operation,
            "apiVersion": V,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
    ]
    return {
        "apiVersion": V,
        "kind": face.virtual.kind,
        "metadata": metadata,
        "spec": draw(_spec(face)),
        "status": draw(st.dictionaries(_word, _json, max_size=2)),
    }


@pytest.mark.parametrize("face", [CLUSTER, RESTART], ids=["a cluster", "an operation"])
@given(data=st.data())
def test_what_is_stored_comes_back_as_it_was(face: Face, data: st.DataObject) -> None:
    given_object = data.draw(_objects(face))
    before = copy.deepcopy(given_object)
    stored = to_stored(FACES, face, given_object)
    assert given_object == before, "the input was changed"
    assert stored["apiVersion"] == S
    assert f'"{V}"' not in json.dumps(stored)
    assert to_virtual(FACES, face, stored) == given_object


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        pytest.param(
            "Update",
            {".": {}, "f:clusterName": {}, "f:type": {}, f"f:{RESTART.argument}": {".": {}, "f:racks": {}}},
            id="who has made it",
        ),
        pytest.param("Update", {"f:ttlSecondsAfterFinished": {}}, id="who has changed what all have"),
        pytest.param(
            "Update", {f"f:{RESTART.argument}": {"f:racks": {}}}, id="who has changed what is its own"
        ),
        pytest.param(
            "Apply",
            {"f:clusterName": {}, "f:type": {}, f"f:{RESTART.argument}": {"f:racks": {}}},
            id="who applies it",
        ),
        pytest.param(
            "Apply", {"f:clusterName": {}, "f:type": {}, f"f:{RESTART.argument}": {}}, id="with no arguments"
        ),
        pytest.param("Apply", {f"f:{RESTART.argument}": {}}, id="who applies an empty spec"),
    ],
)
def test_owners_of_an_operation_are_stored_again_as_they_were(operation: str, fields: Obj) -> None:
    """Or writing back what was read would be a change."""
    entry = {"manager": "m", "operation": operation, "apiVersion": S, "fieldsV1": {"f:spec": fields}}
    document = {
        "apiVersion": S,
        "kind": "Operation",
        "metadata": {"name": "rollingrestart.a", "managedFields": [entry]},
    }
    shown = to_virtual(FACES, RESTART, copy.deepcopy(document))
    assert to_stored(FACES, RESTART, shown)["metadata"]["managedFields"] == [entry]


@pytest.mark.parametrize("fields", [{"f:type": {}}, {"f:type": {}, f"f:{RESTART.argument}": {}}])
def test_who_owns_nothing_any_more_but_what_all_operations_carry_is_not_shown(fields: Obj) -> None:
    entries = [
        {"manager": "gone", "operation": "Apply", "fieldsV1": {"f:spec": fields}},
        {
            "manager": "m",
            "operation": "Apply",
            "fieldsV1": {"f:spec": fields, "f:metadata": {"f:labels": {}}},
        },
    ]
    document = {
        "apiVersion": S,
        "kind": "Operation",
        "metadata": {"name": "rollingrestart.a", "managedFields": entries},
    }
    shown = to_virtual(FACES, RESTART, document)["metadata"]["managedFields"]
    assert [each["manager"] for each in shown] == ["m"]
    assert shown[0]["fieldsV1"] == {"f:metadata": {"f:labels": {}}}


@given(_json, _json)
def test_malformed_objects_pass_for_the_store_to_refuse(metadata: Any, spec: Any) -> None:
    for face in (CLUSTER, RESTART, VIEW):
        body = {"apiVersion": V, "kind": face.virtual.kind, "metadata": metadata, "spec": spec}
        to_stored(FACES, face, body)
        patches.merge_to_stored(FACES, face, body)
        to_virtual(FACES, face, body)
        watch.event_to_virtual(FACES, face, {"type": "ADDED", "object": body})


@given(
    st.lists(st.dictionaries(st.sampled_from(["op", "path", "from", "value"]), _json | st.just("/spec/a/0")))
)
def test_malformed_patches_pass_too(operations: list[Any]) -> None:
    patches.json_to_stored(FACES, RESTART, operations)


@given(_uuid, st.sampled_from("89"))
def test_uids_swap_and_swap_back(uid: str, digit: str) -> None:
    other = swap_uid(uid, digit)
    assert other != uid
    assert swap_uid(other, digit) == uid
    assert stored_owner_uid(other) == uid


# --- objects -----------------------------------------------------------------------------------------


def test_an_operation_is_nested_and_named_for_the_store() -> None:
    body = {
        "apiVersion": V,
        "kind": "RollingRestart",
        "metadata": {"name": "r1"},
        "spec": {"clusterName": "demo", "racks": ["r1"]},
    }
    assert to_stored(FACES, RESTART, body) == {
        "apiVersion": S,
        "kind": "Operation",
        "metadata": {"name": "rollingrestart.r1"},
        "spec": {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {"racks": ["r1"]}},
    }


def test_generated_names_are_prefixed_too() -> None:
    stored = to_stored(FACES, RESTART, {"metadata": {"generateName": "nightly-"}})
    assert stored["metadata"]["generateName"] == "rollingrestart.nightly-"


def test_who_asked_is_shown_in_the_status() -> None:
    stored = {
        "apiVersion": S,
        "kind": "Operation",
        "metadata": {"annotations": {"missioncontrol.io/requested-by": "eve"}},
    }
    for face in (RESTART, VIEW):
        assert to_virtual(FACES, face, stored)["status"] == {"requestedBy": "eve"}


def test_propagation_finalizers_hide_from_the_collector_in_the_store() -> None:
    stored = to_stored(FACES, CLUSTER, {"metadata": {"finalizers": ["foregroundDeletion", "x/y"]}})
    assert stored["metadata"]["finalizers"] == ["missioncontrol.io/foreground-deletion", "x/y"]


@pytest.mark.parametrize("finalizer", STORED_FINALIZERS)
def test_a_finalizer_of_a_user_is_never_taken_for_the_collectors(finalizer: str) -> None:
    kept = finalizers.stored(finalizer)
    assert kept not in STORED_FINALIZERS[:2]
    assert finalizers.virtual(kept) == finalizer
    assert finalizers.IN_TEXT.sub(lambda found: finalizers.virtual(found[0]), f'"{kept}"') == f'"{finalizer}"'


@pytest.mark.parametrize(
    ("there", "named", "owners", "expected"),
    [
        (["orphan", "x"], ["fg"], {}, ["orphan", "x", "fg"]),
        (["fg", "x"], ["orphan", "fg"], {}, ["orphan", "fg", "x"]),
        (["orphan", "x"], ["orphan", "fg"], {}, ["orphan", "x", "fg"]),
        (["a", "b", "c"], ["c", "a"], {}, ["b", "c", "a"]),
        (["a", "b"], ["c"], {"me": ["a", "b"]}, ["c"]),
        (["a", "b"], ["c"], {"me": ["a", "b"], "another": ["b"]}, ["b", "c"]),
        (["a"], [], {}, ["a"]),
    ],
)
def test_what_an_apply_makes_of_finalizers(
    there: list[str], named: list[str], owners: dict[str, list[str]], expected: list[str]
) -> None:
    entries = [
        {
            "manager": manager,
            "operation": "Apply",
            "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, **{f'v:"{each}"': {} for each in owned}}}},
        }
        for manager, owned in owners.items()
    ]
    now = {"finalizers": there, "managedFields": entries}
    assert finalizers.applied(now, {"finalizers": named}, "me") == expected


def test_an_owner_that_is_an_operation_is_shown_as_its_own_kind() -> None:
    owner = {"apiVersion": V, "kind": "Operation", "name": "rollingrestart.r1", "uid": U9}
    stored = FACES.stored_reference(owner)
    assert stored == {"apiVersion": S, "kind": "Operation", "name": "rollingrestart.r1", "uid": U4}
    assert FACES.virtual_reference(stored) == {
        "apiVersion": V,
        "kind": "RollingRestart",
        "name": "r1",
        "uid": U8,
    }


def test_the_view_gives_the_collector_nothing_to_do() -> None:
    owner = {"apiVersion": S, "kind": "MissionControlCluster", "name": "demo", "uid": U4}
    stored = {"metadata": {"ownerReferences": [owner], "finalizers": ["missioncontrol.io/orphan"], "uid": U4}}
    shown = to_virtual(FACES, VIEW, stored)["metadata"]
    assert shown == {"finalizers": ["missioncontrol.io/orphan"], "uid": U9}


def test_a_list_keeps_its_version_and_token() -> None:
    stored = {"metadata": {"resourceVersion": "7", "continue": "abc"}, "items": None}
    listed = list_to_virtual(FACES, RESTART, stored)
    assert listed == {
        "apiVersion": V, "kind": "RollingRestartList", "metadata": stored["metadata"], "items": [],
    }  # fmt: skip


# --- patches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(
            {"op": "add", "path": "/spec/racks/0", "value": "r1"},
            {"op": "add", "path": "/spec/rollingrestart/racks/0", "value": "r1"},
            id="an argument moves below its kind",
        ),
        pytest.param(
            {"op": "replace", "path": "/spec/clusterName", "value": "x"},
            {"op": "replace", "path": "/spec/clusterName", "value": "x"},
            id="a common field stays",
        ),
        pytest.param(
            {"op": "replace", "path": "/spec", "value": {"clusterName": "x", "a": 1}},
            {"op": "replace", "path": "/spec",
             "value": {"clusterName": "x", "type": "RollingRestart", "rollingrestart": {"a": 1}}},
            id="a whole spec is nested",
        ),
        pytest.param(
            {"op": "move", "from": "/spec/a", "path": "/spec/b"},
            {"op": "move", "from": "/spec/rollingrestart/a", "path": "/spec/rollingrestart/b"},
            id="both ends of a move",
        ),
        pytest.param(
            {"op": "test", "path": "/metadata/uid", "value": U8},
            {"op": "test", "path": "/metadata/uid", "value": U4},
            id="a UID",
        ),
        pytest.param(
            {"op": "test", "path": "/metadata/name", "value": "r1"},
            {"op": "test", "path": "/metadata/name", "value": "rollingrestart.r1"},
            id="a name",
        ),
        pytest.param(
            {"op": "test", "path": "/kind", "value": "RollingRestart"},
            {"op": "test", "path": "/kind", "value": "Operation"},
            id="the kind",
        ),
        pytest.param(
            {"op": "add", "path": "/metadata/finalizers/-", "value": "orphan"},
            {"op": "add", "path": "/metadata/finalizers/-", "value": "missioncontrol.io/orphan"},
            id="a finalizer",
        ),
        pytest.param(
            {"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": U8},
            {"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": U4},
            id="the UID of an owner",
        ),
        pytest.param(
            {"op": "replace", "path": "/metadata/managedFields/0/apiVersion", "value": V},
            {"op": "replace", "path": "/metadata/managedFields/0/apiVersion", "value": S},
            id="the version of an owner of fields",
        ),
        pytest.param(
            {"op": "add", "path": "/metadata/labels/123", "value": "x"},
            {"op": "add", "path": "/metadata/labels/123", "value": "x"},
            id="a label that looks like an index",
        ),
        pytest.param({"op": "remove"}, {"op": "remove"}, id="no path at all"),
    ],
)  # fmt: skip
def test_json_patch(operation: Obj, expected: Obj) -> None:
    assert patches.json_to_stored(FACES, RESTART, [operation]) == [expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            {"spec": {"ttlSecondsAfterFinished": 5}},
            {"spec": {"ttlSecondsAfterFinished": 5}},
            id="nothing is added",
        ),
        pytest.param(
            {"spec": {"racks": None}},
            {"spec": {"rollingrestart": {"racks": None}}},
            id="a removal finds its place",
        ),
        pytest.param(
            {"metadata": {"finalizers": None}}, {"metadata": {"finalizers": None}}, id="finalizers go"
        ),
        pytest.param({"spec": None}, {"spec": None}, id="a spec is removed"),
    ],
)
def test_merge_patch(body: Obj, expected: Obj) -> None:
    assert patches.merge_to_stored(FACES, RESTART, body) == expected


def test_an_apply_without_a_spec_claims_none() -> None:
    body = {"apiVersion": V, "kind": "RollingRestart", "metadata": {"name": "r1", "labels": {"a": "b"}}}
    assert "spec" not in patches.apply_to_stored(FACES, RESTART, body)


def test_an_empty_spec_that_is_applied_claims_no_type_but_where_it_has_to() -> None:
    body = {"apiVersion": V, "kind": "RollingRestart", "metadata": {"name": "r1"}, "spec": {}}
    stored = patches.apply_to_stored(FACES, RESTART, body)
    assert stored["spec"] == {"rollingrestart": {}}
    assert patches.is_bare(RESTART, stored)
    typed = patches.with_type(RESTART, stored)
    assert typed["spec"] == {"type": "RollingRestart", "rollingrestart": {}}
    assert not patches.is_bare(RESTART, typed)
    assert not patches.is_bare(CLUSTER, {"spec": {}})


# --- words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (f'operations.{SG} "rollingrestart.r1" not found', f'rollingrestarts.{VG} "r1" not found'),
        (f'Operation.{SG} "rollingrestart.r1" is invalid: spec.rollingrestart.racks[0]: Invalid value',
         f'RollingRestart.{VG} "r1" is invalid: spec.racks[0]: Invalid value'),
        (f'Operation cannot be fulfilled on operations.{SG} "rollingrestart.r1": x',
         f'Operation cannot be fulfilled on rollingrestarts.{VG} "r1": x'),
        (f"no kind {S}, Kind=Operation", f"no kind {V}, Kind=RollingRestart"),
        ('Operation in version "v1alpha1" cannot be handled as a Operation: x',
         'RollingRestart in version "v1alpha1" cannot be handled as a RollingRestart: x'),
        ('unknown field "spec.rollingrestart.x"', 'unknown field "spec.x"'),
        ("doc is missing path: /spec/rollingrestart/x", "doc is missing path: /spec/x"),
        ("the name (rollingrestart.a) does not match", "the name (a) does not match"),
        (f"Precondition failed: UID in precondition: {U8}, UID in object meta: {U4}",
         f"Precondition failed: UID in precondition: {U4}, UID in object meta: {U8}"),
        (f"the UID in the precondition ({U8}) does not match the UID in record ({U4})",
         f"the UID in the precondition ({U4}) does not match the UID in record ({U8})"),
        ("an owner with the UID of somebody else: " + U4, "an owner with the UID of somebody else: " + U4),
    ],
)  # fmt: skip
def test_sentences_of_the_store(said: str, heard: str) -> None:
    assert RESTART.text(said) == heard


def test_the_view_keeps_names_as_they_are_stored() -> None:
    said = 'operations.storage.missioncontrol.io "rollingrestart.r1" not found'
    assert VIEW.text(said) == 'operations.missioncontrol.io "rollingrestart.r1" not found'


@pytest.mark.parametrize(
    ("fields", "told", "message"),
    [
        (["spec.clusterName", "spec.type"], ["spec.clusterName"], "spec.clusterName: Required value"),
        (
            ["spec.type", "spec", f"spec.{RESTART.argument}", "spec.clusterName"],
            ["spec", "spec.clusterName"],
            "[spec: Required value, spec.clusterName: Required value]",
        ),
    ],
)
def test_what_only_the_store_requires_is_not_told(fields: list[str], told: list[str], message: str) -> None:
    causes = [{"reason": "FieldValueRequired", "message": "Required value", "field": each} for each in fields]
    all_of_it = ", ".join(f"{each}: Required value" for each in fields)
    status = {
        "message": f'Operation.storage.missioncontrol.io "rollingrestart.a" is invalid: [{all_of_it}]',
        "details": {
            "name": "rollingrestart.a",
            "group": "storage.missioncontrol.io",
            "kind": "Operation",
            "causes": causes,
        },
    }
    shown = statuses.to_virtual(FACES, RESTART, status)
    assert [each["field"] for each in shown["details"]["causes"]] == told
    assert shown["message"] == f'RollingRestart.missioncontrol.io "a" is invalid: {message}'


def test_a_status_with_causes() -> None:
    status = {
        "message": f'Apply failed with 1 conflict: conflict with "x" using {S}: .spec.rollingrestart.racks',
        "details": {
            "name": "rollingrestart.r1",
            "group": "storage.missioncontrol.io",
            "kind": "operations",
            "uid": U4,
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "field": ".spec.rollingrestart.racks",
                    "message": f"using {S}",
                }
            ],
        },
    }
    virtual = statuses.to_virtual(FACES, RESTART, status)
    assert virtual["message"].endswith('conflict with "x" using missioncontrol.io/v1alpha1: .spec.racks')
    assert virtual["details"] == {
        "name": "r1",
        "group": "missioncontrol.io",
        "kind": "rollingrestarts",
        "uid": U8,
        "causes": [{"reason": "FieldManagerConflict", "field": ".spec.racks", "message": f"using {V}"}],
    }


def test_errors_in_a_watch_are_translated() -> None:
    event = {
        "type": "ERROR",
        "object": {"kind": "Status", "message": "operations.storage.missioncontrol.io is gone"},
    }
    assert (
        watch.event_to_virtual(FACES, RESTART, event)["object"]["message"]
        == "rollingrestarts.missioncontrol.io is gone"
    )


def test_preconditions_name_what_the_user_saw() -> None:
    given_options = {
        "apiVersion": V,
        "kind": "DeleteOptions",
        "preconditions": {"uid": U8, "resourceVersion": "5"},
    }
    assert options.to_stored(CLUSTER, given_options) == {
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": U4, "resourceVersion": "5"},
    }  # fmt: skip
