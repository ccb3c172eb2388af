"""Random odd writes: parameters, headers and bodies that do not go together."""

from __future__ import annotations

import json
import random
from typing import Final

from tests.conformance.api import APPLY, JSON, JSON_PATCH, MERGE, METADATA, STRATEGIC, TABLE, YAML, Api
from tests.conformance.table import Area, random_cases

TRIES: Final = 40
# no YAML: where its lines are broken depends on the length of names
_ACCEPT: Final = (
    JSON, TABLE, METADATA, "*/*", "text/html", "", f"{TABLE},{JSON}", "application/yaml;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Odd;v=v1;g=meta.k8s.io", f"{TABLE};q=0.5,{JSON};q=0.9", TABLE.replace("v=v1", "v=v2"), "application/*",
)  # fmt: skip
_TYPES: Final = (
    JSON, YAML, MERGE, JSON_PATCH, APPLY, STRATEGIC, "text/plain", "", "application/json; charset=utf-8", "application/x-yaml",
    "application/json;q=1", "APPLICATION/JSON", "application/merge-patch+json; charset=utf-8", "application/cbor", "json",
    "application/apply-patch+cbor", "application/json-patch+json;x", "*/*",
)  # fmt: skip
_PARAMETERS: Final[tuple[tuple[str, tuple[str, ...], float], ...]] = (
    ("fieldManager", ("one", "", "x" * 129, "ab\x7f", "ä", " "), 0.3),
    ("dryRun", ("All", "", "all", "None", "All,All"), 0.2),
    ("fieldValidation", ("Strict", "Warn", "Ignore", "", "strict", "Odd"), 0.3),
    ("force", ("true", "false", "1", "x", ""), 0.2),
    ("pretty", ("true", "x", "0"), 0.1),
    ("timeout", ("5s", "x", "-1s", "0", "", "1ms1", "1h"), 0.08),
    ("gracePeriodSeconds", ("0", "-1", "x", "", "5"), 0.2),
    ("propagationPolicy", ("Background", "Odd", ""), 0.2),
    ("orphanDependents", ("false", "x", ""), 0.1),
    ("labelSelector", ("x=1", "=", ""), 0.1),
    ("resourceVersion", ("0", "1", "x", ""), 0.1),
    ("limit", ("1", "x"), 0.05),
    ("includeObject", ("None", "Odd"), 0.1),
    ("nosuch", ("1",), 0.05),
    ("watch", ("true",), 0.05),
    ("uid", ("x",), 0.05),
    ("preconditions", ("x",), 0.03),
)


class Writes:
    """Draws what is sent; never depends on answers."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.draw = random.Random(f"writes/{seed}/{api.kind.name}")

    async def go(self) -> None:
        await self.api.create("a")
        await self.api.create("b", metadata={"labels": {"x": "1"}})
        for number in range(TRIES):
            await self._try(number)
        for short in ("a", "b"):
            await self.api.get(short)

    def _chance(self, part: float) -> bool:
        return self.draw.random() < part

    def _query(self) -> dict[str, str]:
        return {name: self.draw.choice(values) for name, values, part in _PARAMETERS if self._chance(part)}

    def _body(self, short: str) -> tuple[str, str]:
        """A body, and what it is called."""
        api, draw = self.api, self.draw
        own = api.sample(short)
        change = api.kind.change(draw.choice((*api.kind.values, api.kind.wrong)))
        patch = [{"op": "replace", "path": api.kind.pointer, "value": draw.choice(api.kind.values)}]
        plain = [
            own, own, own, api.identity(short), {**own, "nosuch": 1}, {**own, "kind": "Odd"}, {**own, "apiVersion": "odd/v9"},
            {**own, "spec": {}}, {**own, "metadata": 5}, {**own, "metadata": {}}, change, change,
            {**api.identity(short), **change}, {"metadata": {"labels": {"x": "2"}}}, {"metadata": {"labels": {"x": 2}}},
            patch, patch, [], {}, 5, "text", None, {"kind": "DeleteOptions", "apiVersion": "v1"},
            {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Odd"}, {**own, "status": {"phase": 5}},
            {"kind": "Status", "apiVersion": "v1"}, {"items": []}, {**own, "metadata": {**own["metadata"], "name": "Upper"}},
            {**own, "metadata": {**own["metadata"], "namespace": "elsewhere"}},
        ]  # fmt: skip
        which = draw.randrange(len(plain))
        text = json.dumps(plain[which])
        forms = (
            *(text,) * 4, text[:-1], text + "}", " " + text, "", "\ufeff" + text, text + "\n---\n" + text,
        )  # fmt: skip
        form = draw.randrange(len(forms))
        return forms[form], f"body {which}.{form}"

    def _type(self, method: str) -> str:
        usual = (MERGE, APPLY, JSON_PATCH) if method == "PATCH" else (JSON,)
        return self.draw.choice(_TYPES if self._chance(0.4) else usual)

    async def _try(self, number: int) -> None:
        api, draw = self.api, self.draw
        method = draw.choice(("POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"))
        is_whole = self._chance(0.9 if method == "POST" else 0.05)
        path = api.collection
        if not is_whole:
            sub = draw.choice(("", "", "", "", "status", "nosuch"))
            path = api.at(draw.choice(("a", "b", "gone")), sub)
        elif method == "DELETE" and not api.kind.namespaced:
            return  # others have made some as well
        body, told = self._body(draw.choice(("a", "b", "gone")))
        if method == "DELETE" and self._chance(0.5):
            body, told = None, "no body"
        type, query = self._type(method), self._query()
        accept = draw.choice(_ACCEPT) if self._chance(0.4) else JSON
        if is_whole and method == "DELETE" and accept == METADATA:
            accept = JSON  # one object's metadata instead of a list is refused before anything is done
        shown = " ".join(f"{name}={value}" for name, value in query.items())
        label = f"try {number}: {method} {path.removeprefix(api.arm.base)} {shown}, {type}, {accept}, {told}"
        await api.send(
            method, path, query=query, body=body, type=type or None, headers={"Accept": accept}, label=label
        )


random_cases(Area.WRITES, "odd writes", lambda api, seed: Writes(api, seed).go())
