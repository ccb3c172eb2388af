"""What is generated obeys the rules of those who read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.api.emit import component_rules, discovery, openapi, plumbing, rbac
from missioncontrol.api.emit.__main__ import drift, generated, write
from missioncontrol.api.emit.crds import Plane, crds
from missioncontrol.api.emit.snapshot import first_sentence, load, references
from missioncontrol.api.registry import KINDS

REPOSITORY = Path(__file__).parents[3]
MAXIMUM_CRD_BYTES = 1_400_000

Document = dict[str, Any]
ALL_CRDS = [*crds("control-plane"), *crds("data-plane")]


def _walk(node: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from _walk(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, f"{path}[{index}]")


def _schemas(schema: Document, path: str = "") -> Iterator[tuple[str, Document]]:
    """Every schema inside a structural schema, with its path."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from _schemas(member, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _schemas(schema[key], f"{path}[]")


@pytest.mark.parametrize("crd", ALL_CRDS, ids=lambda crd: crd["metadata"]["name"])
class TestCrds:
    def test_its_size_leaves_room_in_etcd(self, crd: Document) -> None:
        assert len(json.dumps(crd)) < MAXIMUM_CRD_BYTES

    def test_its_schema_is_structural(self, crd: Document) -> None:
        for path, schema in _schemas(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
            assert "$ref" not in schema, path
            free = schema.get("x-kubernetes-int-or-string") or schema.get(
                "x-kubernetes-preserve-unknown-fields"
            )
            assert "type" in schema or free, path
            if schema.get("type") == "array":
                assert "items" in schema, path

    def test_the_keys_of_its_maps_are_always_there(self, crd: Document) -> None:
        for path, schema in _schemas(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
            for key in schema.get("x-kubernetes-list-map-keys", ()):
                items = schema["items"]
                assert key in items.get("required", ()) or "default" in items["properties"][key], path


def test_storage_kinds_take_no_names_from_users() -> None:
    for crd in crds("control-plane"):
        assert crd["spec"]["group"] == "storage.missioncontrol.io"
        assert "shortNames" not in crd["spec"]["names"]
        assert "categories" not in crd["spec"]["names"]


def test_every_operation_has_its_member_in_the_storage_kind() -> None:
    stored = next(
        crd for crd in ALL_CRDS if crd["metadata"]["name"] == "operations.storage.missioncontrol.io"
    )
    spec = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    operations = [kind for kind in KINDS if kind.is_operation]
    assert spec["properties"]["type"]["enum"] == sorted(kind.resource.kind for kind in operations)
    assert {kind.singular for kind in operations} <= spec["properties"].keys()


def schema_of(kind: str, *path: str) -> Document:
    """The schema at a path of members of a data plane's kind; of a list, that of its items."""
    [crd] = [each for each in crds("data-plane") if each["spec"]["names"]["kind"] == kind]
    found = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path:
        found = found.get("items", found)["properties"][name]
    return found


@pytest.mark.parametrize(
    ("kind", "path", "keyed"),
    [
        ("CassandraDatacenter", ("podTemplateSpec", "spec", "containers", "ports"), False),
        ("CassandraDatacenter", ("podTemplateSpec", "spec", "initContainers", "ports"), False),
        ("CassandraDatacenter", ("podTemplateSpec", "spec", "topologySpreadConstraints"), False),
        ("CassandraDatacenter", ("podTemplateSpec", "spec", "ephemeralContainers", "ports"), True),
        ("CassandraDatacenter", ("podTemplateSpec", "spec", "containers", "env"), True),
        ("K8ssandraCluster", ("cassandra", "containers", "ports"), True),
        ("K8ssandraCluster", ("cassandra", "datacenters", "initContainers", "ports"), True),
    ],
)
def test_lists_are_keyed_where_upstreams_are(kind: str, path: tuple[str, ...], keyed: bool) -> None:
    assert (schema_of(kind, "spec", *path).get("x-kubernetes-list-type") == "map") is keyed


def test_what_names_an_object_is_owned_as_a_whole() -> None:
    pod = ("spec", "podTemplateSpec", "spec")
    references = [
        schema_of("CassandraDatacenter", *pod, "containers", "envFrom", "secretRef"),
        schema_of("CassandraDatacenter", *pod, "volumes", "configMap"),
        schema_of("K8ssandraCluster", "spec", "cassandra", "serverEncryptionStores", "keystoreSecretRef"),
    ]
    assert {each.get("x-kubernetes-map-type") for each in references} == {"atomic"}


def test_conditions_of_tasks_have_the_limits_of_conditions_of_kubernetes() -> None:
    for kind in ("CassandraTask", "K8ssandraTask"):
        condition = schema_of(kind, "status", "conditions")["items"]
        assert set(condition["required"]) == {"type", "status", "reason", "message", "lastTransitionTime"}
        lengths = {key: value.get("maxLength") for key, value in condition["properties"].items()}
        assert {key: value for key, value in lengths.items() if value} == {
            "type": 316,
            "reason": 1024,
            "message": 32768,
        }


def test_limits_of_items_and_of_optional_values_are_in_the_schema() -> None:
    [stored] = [each for each in crds("control-plane") if each["spec"]["names"]["kind"] == "Operation"]
    schema = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    compaction = schema["properties"]["spec"]["properties"]["compaction"]["properties"]
    assert compaction["keyspace"]["pattern"] == "^[A-Za-z0-9_]+$"
    assert compaction["tables"]["items"]["maxLength"] == 222
    assert compaction["startToken"]["maxLength"] == 40


def test_discovery_names_a_kind_for_everything() -> None:
    resources = discovery.api_resource_list()["resources"]
    assert all(resource["kind"] and resource["verbs"] for resource in resources)
    names = [resource["name"] for resource in resources]
    assert len(names) == len(set(names))
    for kind in KINDS:
        assert {
            kind.resource.plural,
            *(f"{kind.resource.plural}/{s.name}" for s in kind.subresources),
        } <= set(names)
    scale = next(resource for resource in resources if resource["name"] == "missioncontrolclusters/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_aggregated_discovery_has_no_blank_kind(version: str) -> None:
    document = discovery.aggregated(version)
    assert document["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    for _, node in _walk(document):
        if "responseKind" in node:
            assert all(node["responseKind"][key] for key in ("version", "kind"))
    assert f"v={version}" in discovery.rendered_aggregated(version).content_type


def test_a_document_has_the_same_hash_wherever_it_is_rendered() -> None:
    assert discovery.render({"b": 1, "a": 2}) == discovery.render({"a": 2, "b": 1})
    etag = discovery.rendered_aggregated().etag
    assert etag.startswith('"')
    assert len(etag) == 128 + 2


@pytest.mark.parametrize(
    ("document", "definitions"),
    [
        pytest.param(openapi.openapi_v2(), ("definitions",), id="v2"),
        pytest.param(openapi.openapi_v3(), ("components", "schemas"), id="v3"),
    ],
)
def test_every_reference_resolves(document: Document, definitions: tuple[str, ...]) -> None:
    defined = document
    for key in definitions:
        defined = defined[key]
    assert references(document) <= defined.keys()
    unused = (
        defined.keys()
        - references(document)
        - {n for n in defined if "x-kubernetes-group-version-kind" in defined[n]}
    )
    assert unused == set()


def test_the_second_version_holds_nothing_that_swagger_does_not_know() -> None:
    document = openapi.openapi_v2()
    allowed = {"string", "integer", "number", "boolean", "array", "object"}
    for path, node in _walk(document["definitions"]):
        names_of_fields = path.endswith(".properties")
        if names_of_fields:
            continue
        assert not {"nullable", "oneOf", "anyOf", "const", "not"} & node.keys(), path
        if isinstance(node.get("type"), str):
            assert node["type"] in allowed, path
        if "$ref" in node:
            assert node.keys() <= {"$ref", "description"}, path


def test_meta_types_are_repeated_word_for_word() -> None:
    definitions = openapi.openapi_v2()["definitions"]
    for name, definition in load()["meta"].items():
        if name in definitions:
            assert definitions[name] == definition


def test_operation_ids_are_unique() -> None:
    ids = [node["operationId"] for _, node in _walk(openapi.openapi_v3()["paths"]) if "operationId" in node]
    assert len(ids) == len(set(ids))


def test_kubectl_finds_what_it_looks_for_in_the_third_version() -> None:
    path = "/apis/missioncontrol.io/v1alpha1/namespaces/{namespace}/missioncontrolclusters/{name}"
    patch = openapi.openapi_v3()["paths"][path]["patch"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "MissionControlCluster"
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {p["name"] for p in patch["parameters"]}
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]


def _grants(role: Document) -> Iterator[tuple[str, str, str]]:
    for rule in role.get("rules", ()):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


@pytest.mark.parametrize(
    "rules",
    [*component_rules.CONTROL_PLANE, *component_rules.DATA_PLANE, *component_rules.LOCAL_DATA_PLANE],
    ids=lambda rules: rules.role_name,
)
def test_no_component_can_make_itself_more_powerful(rules: component_rules.ComponentRules) -> None:
    forbidden_groups = {
        "rbac.authorization.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
    }
    for role in rbac.component_roles([rules]):
        for group, resource, verb in _grants(role):
            assert "*" not in (group, resource, verb)
            assert group not in forbidden_groups
            assert (resource, verb) not in {("pods/exec", "create"), ("serviceaccounts/token", "create")}
            if verb == "impersonate":
                assert role["kind"] == "Role" or resource == "userextras/missioncontrol.io/requester"


def test_people_may_not_write_a_status_nor_the_storage() -> None:
    for role in rbac.user_roles():
        for group, resource, verb in _grants(role):
            assert group == "missioncontrol.io"
            assert not resource.endswith("/status") or verb == "get"


def test_each_operation_can_be_granted_alone() -> None:
    edit = next(role for role in rbac.user_roles() if role["metadata"]["name"] == "missioncontrol:edit")
    assert all(len(rule["resources"]) == 1 for rule in edit["rules"])
    assert ("missioncontrol.io", "missioncontrolclusters/rollingrestart", "create") in set(_grants(edit))
    assert ("missioncontrol.io", "rollingrestarts/cancel", "create") in set(_grants(edit))


@pytest.mark.parametrize("plane", ["control-plane", "data-plane"])
def test_webhooks_see_only_our_groups_and_let_kubernetes_clean_up(plane: Plane) -> None:
    for configuration in plumbing.webhook_configurations(
        plane, ca_bundle=b"pem", base_url="https://127.0.0.1:1"
    ):
        (webhook,) = configuration["webhooks"]
        groups = {group for rule in webhook["rules"] for group in rule["apiGroups"]}
        ours = {"storage.missioncontrol.io"}
        theirs = {"k8ssandra.io", "cassandra.datastax.com", "control.k8ssandra.io"}
        assert groups == (ours if plane == "control-plane" else theirs)
        assert webhook["failurePolicy"] == "Fail"
        expressions = " ".join(condition["expression"] for condition in webhook["matchConditions"])
        assert "system:serviceaccount:kube-system:generic-garbage-collector" in expressions
        assert "system:serviceaccount:kube-system:namespace-controller" in expressions
        assert webhook["clientConfig"]["url"].startswith("https://127.0.0.1:1/")


def test_descriptions_of_kubernetes_are_cut_to_a_sentence() -> None:
    assert first_sentence("One thing. And another.") == "One thing."
    assert first_sentence("First\nline.\n\nMore.") == "First line."
    assert len(first_sentence("x" * 500)) < 170


def test_what_is_committed_is_what_is_generated() -> None:
    assert drift(REPOSITORY, generated()) == []


def test_drift_is_told_file_by_file(tmp_path: Path) -> None:
    wanted = {Path("docs/reference/a.md"): "a", Path("docs/reference/b.md"): "b"}
    write(tmp_path, wanted)
    assert drift(tmp_path, wanted) == []
    (tmp_path / "docs/reference/a.md").write_text("changed")
    (tmp_path / "docs/reference/b.md").unlink()
    (tmp_path / "docs/reference/c.md").write_text("left over")
    assert drift(tmp_path, wanted) == [
        "docs/reference/a.md is outdated",
        "docs/reference/b.md is missing",
        "docs/reference/c.md is not generated any more",
    ]
    write(tmp_path, wanted)
    assert drift(tmp_path, wanted) == []


def test_kubectl_explains_every_field() -> None:
    schemas = openapi.openapi_v3()["components"]["schemas"]

    silent = [
        f"{name}{path}.{field}"
        for name, definition in schemas.items()
        for path, schema in _schemas(definition)
        for field, member in schema.get("properties", {}).items()
        if not member.get("description")
    ]
    assert silent == []


def test_the_view_over_all_operations_has_the_arguments_of_each_kind() -> None:
    schemas = openapi.openapi_v3()["components"]["schemas"]
    properties = schemas["io.missioncontrol.v1alpha1.OperationViewSpec"]["properties"]
    kinds = {kind.resource.kind for kind in KINDS if kind.is_operation}
    assert set(properties["type"]["enum"]) == kinds
    assert {kind.lower() for kind in kinds} < set(properties)
