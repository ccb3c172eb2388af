"""Which representation a client takes: JSON, a Table, or metadata only.

Clauses of Accept are tried by their weights, as Kubernetes does; what we do not offer (protobuf, CBOR, an
unknown `as`) is skipped, and 406 is the answer when nothing is left. Of several headers the first counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from apiserver.status import Failure, Late, failure, not_acceptable

_META_GROUP = "meta.k8s.io"
_META_VERSIONS = frozenset({"v1", "v1beta1"})
# The last is offered for errors alone, as with a custom resource.
OFFERED = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMED = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
_NOT_SINGLE = (
    "you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)"
)
_JSON_PATTERNS = frozenset({"application/json", "application/*", "*/*"})


class Shape(Enum):
    """What an object is shown as."""

    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The outcome: a shape, and for shapes of meta.k8s.io its version; or YAML for plain objects."""

    shape: Shape = Shape.OBJECT
    version: str = "v1"
    yaml: bool = False


JSON = Accepted()


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of an Accept header."""

    media_type: str
    parameters: dict[str, str]
    weight: float = 1.0


def parse_clauses(header: str) -> list[Clause]:
    """The clauses of a header in the order in which they are tried; those that are none are passed over."""
    return _in_order([clause for part in header.split(",") if (clause := _clause(part)) is not None])


def _clause(text: str) -> Clause | None:
    """As Kubernetes reads it: letters count, and so do quotes."""
    head, *rest = text.strip().split(";")
    parts = [part.strip() for part in head.split("/")]
    if parts == ["*"]:
        parts = ["*", "*"]
    if len(parts) != 2 or not parts[1]:
        return None
    pairs = [pair for pair in (each.split("=") for each in rest) if len(pair) == 2 and pair[1]]
    parameters = {name.strip(): value.strip() for name, value in pairs}
    return Clause("/".join(parts), parameters, _weight(parameters.pop("q", "1")))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _in_order(clauses: list[Clause]) -> list[Clause]:
    """By weight, and what is told exactly before what is left open; else as they came.

    "Before" is not an order of all clauses (a pair may be so both ways), so the result depends on how they
    are sorted: by insertion, as Kubernetes does it with few of them.
    """
    ordered: list[Clause] = []
    for clause in clauses:
        at = len(ordered)
        while at and _goes_before(clause, ordered[at - 1]):
            at -= 1
        ordered.insert(at, clause)
    return ordered


def _goes_before(one: Clause, other: Clause) -> bool:
    if one.weight > other.weight:
        return True
    (type_, subtype), (other_type, other_subtype) = one.media_type.split("/"), other.media_type.split("/")
    return (type_ != "*" and other_type == "*") or (subtype != "*" and other_subtype == "*")


@lru_cache(maxsize=512)
def accept(header: str, shapes: frozenset[Shape]) -> Accepted:
    """The first clause that we can serve with one of these shapes (JSON itself is always one)."""
    if not header.strip():
        return JSON
    for clause in parse_clauses(header):
        found = _serve(clause, shapes)
        if found is not None:
            return found
        if shapes is LIST and _serve(clause, SINGLE) is not None:
            raise Late(failure(406, _NOT_SINGLE).status)
    raise not_acceptable(OFFERED)


def accept_stream(header: str) -> Accepted:
    """As `accept` for the objects of a watch: the first clause decides, and YAML cannot be streamed."""
    try:
        accepted = accept(header, SINGLE)
    except Failure as refusal:
        accept(header, LIST)
        raise Late(refusal.status) from refusal
    if accepted.yaml:
        raise Late(not_acceptable(_STREAMED).status)
    return accepted


def _serve(clause: Clause, shapes: frozenset[Shape]) -> Accepted | None:
    yaml = clause.media_type == "application/yaml"
    if not yaml and clause.media_type not in _JSON_PATTERNS:
        return None
    said = clause.parameters
    if said.get("stream", "watch") != "watch" or (yaml and "stream" in said) or said.get("sv", "v1") != "v1":
        return None
    if not said.keys() & {"as", "g", "v"}:
        return Accepted(yaml=True) if yaml else JSON
    wanted, version = said.get("as", ""), said.get("v", "")
    if said.get("g") != _META_GROUP or version not in _META_VERSIONS:
        return None
    for shape in shapes:
        if shape is not Shape.OBJECT and shape.value == wanted:
            return Accepted(shape, version, yaml=yaml)
    return None


SINGLE = frozenset({Shape.OBJECT, Shape.TABLE, Shape.METADATA})
PLAIN: frozenset[Shape] = frozenset()
LIST = frozenset({Shape.OBJECT, Shape.TABLE, Shape.METADATA_LIST})


def takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding names gzip, as Kubernetes reads it: with a weight it is another word."""
    return any(part.strip() == "gzip" for part in header.split(","))


_BROWSER = re.compile(r"^(curl|Wget|Mozilla/5\.0)")


def wants_pretty(query_value: str | None, user_agent: str) -> bool:
    """Indented for people: asked for, or a client that only people use."""
    if query_value is not None:
        return query_value.lower() in ("", "true", "1")
    return _BROWSER.match(user_agent) is not None
