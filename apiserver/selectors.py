"""Field and label selectors: parsed, translated to the store's fields, matched against computed objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apiserver.status import bad_request


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One requirement of a field selector."""

    field: str
    value: str
    equal: bool = True

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)


def parse_fields(selector: str | None) -> list[FieldTerm]:
    """The requirements of a field selector, read as kube-apiserver reads them; 400 if it cannot be read.

    Names are taken as they are, blanks included; an empty name with an empty value selects everything.
    """
    terms = []
    for part in sorted(re.findall(r"(?:\\.|[^,\\]|\\$)+", selector or "", re.DOTALL)):
        found = _TERM.fullmatch(part)
        if found is None:
            raise bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")
        name, value = found[1], _unescaped(found[3])
        if name or value:
            terms.append(FieldTerm(name, value, found[2] != "!="))
    return terms


def _unescaped(text: str) -> str:
    for piece in re.findall(r"\\.|.|\\$", text, re.DOTALL):
        if piece in (",", "="):
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(piece)}")
        if piece[0] == "\\" and piece[1:] not in ("\\", ",", "="):
            raise bad_request(f"invalid field selector: invalid escape sequence: {piece}")
    return re.sub(r"\\(.)", r"\1", text)


def format_fields(terms: list[FieldTerm]) -> str:
    return ",".join(map(str, terms))


def exact(terms: list[FieldTerm], field: str) -> str:
    """The value that a field must have by `field=value`, or nothing."""
    return next((term.value for term in terms if term.field == field and term.equal), "")


def fields_match(terms: list[FieldTerm], values: Mapping[str, str]) -> bool:
    """Whether an object with these fields is selected; 400 for a field that cannot be selected by."""
    for term in terms:
        if term.field not in values:
            raise bad_request(f"field label not supported: {term.field}")
    return all((values[term.field] == term.value) == term.equal for term in terms)


@dataclass(frozen=True, slots=True)
class LabelTerm:
    """One requirement of a label selector, in the words of a SubjectAccessReview, or Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case "In":
                return labels.get(self.key) in self.values
            case "Gt" | "Lt":
                number = _integer(labels.get(self.key, ""))
                bound = int(self.values[0])
                return number is not None and (number > bound if self.operator == "Gt" else number < bound)
        return labels.get(self.key) not in self.values


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text, re.ASCII) else None


_KEY = r"(?:[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], LabelTerm]], ...] = (
    (
        re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)"),
        lambda m: LabelTerm(
            m["key"], "In" if m["op"] == "in" else "NotIn", tuple(v.strip() for v in m["values"].split(","))
        ),
    ),
    (
        re.compile(rf"(?P<key>{_KEY})\s*(?P<op>==|=|!=)\s*(?P<value>{_VALUE})"),
        lambda m: LabelTerm(m["key"], "NotIn" if m["op"] == "!=" else "In", (m["value"],)),
    ),
    (
        re.compile(rf"(?P<key>{_KEY})\s*(?P<op>[<>])\s*(?P<value>[0-9]{{1,18}})"),
        lambda m: LabelTerm(m["key"], "Gt" if m["op"] == ">" else "Lt", (m["value"],)),
    ),
    (re.compile(rf"!\s*(?P<key>{_KEY})"), lambda m: LabelTerm(m["key"], "DoesNotExist")),
    (re.compile(rf"(?P<key>{_KEY})"), lambda m: LabelTerm(m["key"], "Exists")),
)


def parse_labels(selector: str | None) -> list[LabelTerm]:
    """The requirements of a label selector; 400 if it cannot be read."""
    if selector and selector.strip() and re.search(r"(?:^|,)\s*(?:,|$)", selector):
        raise bad_request(f"unable to parse requirement: {selector!r} has an empty one")
    return [
        _label_term(part.strip())
        for part in re.findall(r"(?:\([^()]*\)|[^,()])+", selector or "")
        if part.strip()
    ]


def _label_term(text: str) -> LabelTerm:
    for pattern, read in _READERS:
        found = pattern.fullmatch(text)
        if found is not None:
            return read(found)
    raise bad_request(f"unable to parse requirement: {text!r} is no label selector")


def labels_match(terms: list[LabelTerm], labels: Mapping[str, str]) -> bool:
    return all(term.matches(labels) for term in terms)
