"""Random looks: reads and watches with parameters and headers that nobody would put together by hand."""

from __future__ import annotations

import random
from typing import Final

from tests.conformance.api import JSON, METADATA, METADATA_LIST, TABLE, YAML, Api, Exchange
from tests.conformance.table import Area, random_cases

LOOKS: Final = 40
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_ACCEPT: Final = (
    JSON, YAML, TABLE, METADATA, METADATA_LIST, "*/*", "application/*", "text/html", "application/xml", PROTOBUF, "",
    f"{PROTOBUF},{JSON}",
    f"{PROTOBUF};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{METADATA_LIST},{JSON}", f"{TABLE},{JSON}", f"{TABLE};q=0.5,{JSON};q=0.9", f"{METADATA},{JSON}", "text/*, */*;q=0.1",
    TABLE.replace("v=v1", "v=v1beta1"), TABLE.replace("v=v1", "v=v2"), METADATA.replace("v=v1", "v=v1beta1"),
    METADATA_LIST.replace("v=v1", "v=v1beta1"), TABLE.replace("json", "yaml"), METADATA.replace("json", "yaml"),
    "application/json;pretty=1", "application/json;stream=watch", "application/json;as=Odd;v=v1;g=meta.k8s.io",
    "application/json;as=Table;g=meta.k8s.io", f"{TABLE};x=y", "application/json; charset=utf-8", "application/json;q=0",
    "Application/JSON", "json", f"{JSON};stream=watch,{TABLE}",
)  # fmt: skip
_SELECTORS: Final = (
    "x", "!x", "x=1", "x==1", "x!=1", "x in (1,2)", "x notin (1)", "x,y", "x=1,y", "x=", "nosuch", "x=1,x=2", "",
    "x>1", "x<2", "x>a", "x in ()", "x in (1", "=1", "x=1,", ",x", "a b", "x/y/z=1", "x=ä", "-x", "x in (2,1),!y", "()",
)  # fmt: skip
_PRETTY: Final = ("true", "false", "1", "0", "", "x")


class Look:
    """Draws what is asked. It never depends on what was answered, but for tokens and versions."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.draw = random.Random(f"looks/{seed}/{api.kind.name}")
        self.number = 0
        self.token = "none"
        """To continue the last list."""
        self.versions: list[str] = []
        """From when all objects were there: of the past, how many follow a page is an estimate."""

    async def go(self) -> None:
        for short, labels in (("a", {"x": "1"}), ("b", {"x": "2", "y": "1"}), ("c", None)):
            made = await self.api.create(short, metadata={"labels": labels, "annotations": {"n.io/a": short}})
        changed = await self.api.patch({"metadata": {"labels": {"z": "1"}}}, "a")
        self.versions = [made.rv, changed.rv]
        # from now on nothing older is told to those whom anything would do
        newest = f"resourceVersion={changed.rv}&resourceVersionMatch=NotOlderThan"
        await self.api.list(newest, record=False)
        for number in range(LOOKS):
            self.number = number
            await self.draw.choices((self._get, self._list, self._watch), (3, 8, 1))[0]()

    def _chance(self, part: float) -> bool:
        return self.draw.random() < part

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": self.draw.choice(_ACCEPT) if self._chance(0.6) else JSON}
        if self._chance(0.1):
            headers["Accept-Encoding"] = self.draw.choice(("gzip", "identity", "gzip;q=0", "br, gzip", "*"))
        return headers

    def _fields(self) -> str:
        kind, draw = self.api.kind, self.draw
        name = self.api.name("a")
        return draw.choice(
            (
                f"metadata.name={name}", f"metadata.name!={name}", f"metadata.name={name},metadata.name={name}",
                f"metadata.namespace={self.api.token}", "metadata.namespace!=elsewhere", "metadata.namespace=",
                f"{kind.selector}={kind.selected}", f"{kind.selector}!={kind.selected}", f"{kind.selector}=none",
                f"{kind.selector}=", f"{kind.selector}={kind.selected},metadata.name={name}", "metadata.uid=x", "nosuch=1",
                "metadata.name", "=x", "metadata.name=a,", "metadata.name=A_B", "metadata.name==" + name, "metadata.labels.x=1",
            )
        )  # fmt: skip

    def _version(self) -> str:
        return self.draw.choice(("", "0", "0", *self.versions, "1", "x", "-1", "00", "99999999999999999"))

    def _query(self, *, many: bool) -> dict[str, str]:
        draw, query = self.draw, dict[str, str]()
        if many and self._chance(0.4):
            query["labelSelector"] = draw.choice(_SELECTORS)
        if many and self._chance(0.3):
            query["fieldSelector"] = self._fields()
        if self._chance(0.3):
            query["resourceVersion"] = self._version()
        if many and self._chance(0.15):
            query["resourceVersionMatch"] = draw.choice(("NotOlderThan", "Exact", "Odd", ""))
        # others list where there are no namespaces as well
        if many and self._chance(0.3 if self.api.kind.namespaced else 0.0):
            query["limit"] = draw.choice(("1", "2", "3", "500", "0", "-1", "x", ""))
        if many and self._chance(0.15):
            query["continue"] = draw.choice((self.token, self.token, "bad", "", "e30"))
        for name, values, part in (
            ("pretty", _PRETTY, 0.1),
            ("includeObject", ("None", "Metadata", "Object", "Odd", ""), 0.15),
            ("timeout", ("5s", "x", "-1s", "0", ""), 0.05),
            ("watch", ("0", "false"), 0.05),
            ("sendInitialEvents", ("true", "false", ""), 0.05),
            ("allowWatchBookmarks", ("true", "x"), 0.05),
            ("nosuch", ("1",), 0.05),
            ("kind", ("Odd",), 0.02),
            ("apiVersion", ("v9",), 0.02),
        ):
            if self._chance(part):
                query[name] = draw.choice(values)
        return query

    async def _send(self, path: str, query: dict[str, str], *, other_than: str = "") -> Exchange:
        headers = self._headers()
        while other_than and other_than in headers["Accept"]:
            headers = self._headers()
        told = (
            {**query, "resourceVersion": "its own"}
            if query.get("resourceVersion") in self.versions
            else query
        )
        shown = " ".join(f"{name}={value}" for name, value in told.items() if name != "continue")
        label = f"look {self.number}: {path.removeprefix(self.api.arm.base)} {shown}, {' '.join(headers.values())}"
        return await self.api.send("GET", path, query=query, headers=headers, label=label)

    async def _get(self) -> None:
        short = self.draw.choice(("a", "a", "b", "gone"))
        sub = self.draw.choice(("", "", "", "status", "nosuch"))
        # for which a custom resource has an internal error, or ends at the first event
        await self._send(
            self.api.at(short, sub), self._query(many=False), other_than="PartialObjectMetadataList"
        )

    async def _list(self) -> None:
        query = self._query(many=True)
        if not self.api.kind.namespaced:
            # what others have made makes lists large, and cannot be left out of YAML
            query.setdefault("labelSelector", "x")
        other = "" if self.api.kind.namespaced else "yaml"
        listed = await self._send(self.api.collection, query, other_than=other)
        if isinstance(listed.body, dict) and isinstance(listed.body.get("metadata"), dict):
            self.token = listed.body["metadata"].get("continue") or self.token

    async def _watch(self) -> None:
        query = self._query(many=True)
        # what is told first, and what of it as luck has it, differs where nothing is pinned
        query |= {"resourceVersion": query.get("resourceVersion") or "0", "watch": "1", "timeoutSeconds": "1"}
        await self._send(self.api.collection, query, other_than="PartialObjectMetadataList")


random_cases(Area.READS, "look", lambda api, seed: Look(api, seed).go())
