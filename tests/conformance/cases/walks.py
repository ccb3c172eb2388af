"""Random walks: what one request leaves behind is what the next one meets. At the end all events are told."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.conformance.api import APPLY, JSON, JSON_PATCH, MERGE, METADATA, TABLE, YAML, Api, Exchange
from tests.conformance.table import Area, random_cases

STEPS: Final = 30
NAMES: Final = ("a", "b")
OTHER_UID: Final = "11111111-2222-4333-8444-555555555555"
NO_TEXT: Final = {"b": 5}

Obj = dict[str, Any]


class Walk:
    """Draws steps and makes them. What is drawn never depends on what was answered."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.draw = random.Random(f"{seed}/{api.kind.name}")
        self.known: dict[str, Obj] = {}
        """The objects as they were answered last."""

    async def go(self) -> None:
        begun = await self.api.send("GET", self.api.collection, query="limit=1", record=False)
        for number in range(STEPS):
            step = self.draw.choices(_STEPS, _WEIGHTS)[0]
            first = len(self.api.exchanges)
            await step(self)
            self.api.relabel(first, f"step {number}")
            for exchange in self.api.exchanges[first:]:
                self._learn(exchange)
        for short in NAMES:
            await self.api.get(short)
        since = f"resourceVersion={begun.body['metadata']['resourceVersion']}"
        for selector in ("", "&labelSelector=x%3D1", f"&fieldSelector=metadata.name%3D{self.api.name('a')}"):
            await self.api.watch(since + selector, label=f"all that happened {selector}")

    def _learn(self, exchange: Exchange) -> None:
        body = exchange.body
        if exchange.status < 300 and isinstance(body, dict) and body.get("kind") == self.api.kind.name:
            self.known[body["metadata"].get("name", "")] = body

    # What is drawn -------------------------------------------------------------------------------------

    def name(self) -> str:
        return self.draw.choice(NAMES)

    def chance(self, part: float) -> bool:
        return self.draw.random() < part

    def query(self, *, manager: bool = False) -> str:
        """Parameters of a write."""
        parts = []
        if manager or self.chance(0.2):
            parts.append(f"fieldManager={self.draw.choice(('one', 'two'))}")
        if self.chance(0.15) and self.api.kind.name != "RollingRestart":
            parts.append("dryRun=All")
        if self.chance(0.25):
            parts.append(f"fieldValidation={self.draw.choice(('Strict', 'Warn', 'Ignore'))}")
        return "&".join(parts)

    def metadata(self) -> Obj:
        """Some members of metadata, right and wrong."""
        known = self.known.get(self.api.name(self.name()), {}).get("metadata", {})
        choices: list[tuple[str, Callable[[], Any]]] = [
            ("labels", lambda: self.draw.choice(({"x": "1"}, {"x": "2", "y": "3"}, {"x": None}, {}, None))),
            ("labels", lambda: {"bad value": "x"}),
            (
                "annotations",
                lambda: self.draw.choice(({"n.io/a": "1"}, {"n.io/a": "", "b": "2"}, None, NO_TEXT)),
            ),
            ("finalizers", lambda: self.draw.choice((["n.io/hold"], ["n.io/hold", "n.io/two"], [], None))),
            ("finalizers", lambda: ["nodomain"]),
            ("ownerReferences", self._owners),
            ("resourceVersion", lambda: self.draw.choice((known.get("resourceVersion"), "1", "", None))),
            ("uid", lambda: self.draw.choice((known.get("uid"), OTHER_UID, "", None))),
            ("generation", lambda: self.draw.choice((1, 7, None))),
            ("generateName", lambda: f"{self.api.token}-gen-"),
            ("namespace", lambda: self.draw.choice((self.api.token, "elsewhere", "", None))),
            ("creationTimestamp", lambda: self.draw.choice(("2001-01-01T00:00:00Z", None))),
            ("deletionTimestamp", lambda: "2001-01-01T00:00:00Z"),
            ("deletionGracePeriodSeconds", lambda: self.draw.choice((0, 30))),
            ("managedFields", lambda: self.draw.choice(([], [{}], None))),
            ("selfLink", lambda: "/x"),
            ("nosuch", lambda: 5),
        ]
        picked = self.draw.sample(choices, self.draw.choice((0, 1, 1, 2)))
        return {name: value() for name, value in picked}

    def _owners(self) -> list[Obj]:
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, **more}
            for uid, more in zip(
                (OTHER_UID, OTHER_UID.replace("5", "6")),
                self.draw.choice(
                    ([{}], [{"controller": True}, {"controller": True}], [{"blockOwnerDeletion": True}])
                ),
                strict=False,
            )
        ]

    def spec(self) -> Obj:
        """Members of the spec of a patch."""
        api, draw = self.api, self.draw
        field = draw.choice(
            (_spec(api, api.kind.values[0]), _spec(api, api.kind.values[1]), {"nosuch": {"deep": [1]}})
        )
        return draw.choice((field, field, field, {}, _spec(api, api.kind.wrong), _spec(api, None)))

    def status(self) -> Obj:
        moment = "2026-01-01T00:00:00Z"
        condition = {
            "type": "Ready",
            "status": "True",
            "reason": "R",
            "message": "",
            "lastTransitionTime": moment,
        }
        # an impossible status is told with words about its Scale where there is one
        wrong = "text" if self.api.kind.name != "MissionControlCluster" else {"message": 5}
        return self.draw.choice(
            (
                {"phase": self.api.kind.phase},
                {"message": "m", "nosuch": 1},
                {"conditions": [condition]},
                {"conditions": [condition, condition]},
                {"conditions": [{"type": "Ready"}]},
                {},
                None,
                wrong,
            )
        )

    def members(self) -> Obj:
        """Members of a patch or apply."""
        found: Obj = {}
        if self.chance(0.7):
            found["metadata"] = self.metadata()
        if self.chance(0.6):
            found["spec"] = self.spec()
        if self.chance(0.2):
            found["status"] = self.status()
        return found

    def whole(self, short: str) -> Obj:
        """A whole object: what is known, or new, changed a little."""
        api = self.api
        old = self.known.get(api.name(short)) if self.chance(0.8) else None
        base = old if old is not None else api.sample(short)
        more = self.members()
        spec = {**(base.get("spec") or {}), **(more.pop("spec", None) or {})}
        metadata = {**base["metadata"], **more.pop("metadata", {})}
        return {**base, **more, "metadata": metadata, "spec": spec}

    def sub(self) -> str:
        return self.draw.choice(("", "", "", "status"))


def _spec(api: Api, value: Any) -> Obj:
    """The spec of a patch that gives the kind's field a value."""
    spec: Obj = api.kind.change(value)["spec"]
    return spec


async def _create(walk: Walk) -> None:
    await walk.api.post(walk.whole(walk.name()), walk.query(), type=walk.draw.choice((JSON, YAML)))


async def _fresh(walk: Walk) -> None:
    await walk.api.create(walk.name(), walk.query(), metadata=walk.metadata())


async def _put(walk: Walk) -> None:
    short = walk.name()
    await walk.api.put(walk.whole(short), short, walk.query(), sub=walk.sub())


async def _merge(walk: Walk) -> None:
    await walk.api.patch(walk.members(), walk.name(), walk.query(), sub=walk.sub(), type=MERGE)


_TOLD: Final = ("/metadata/resourceVersion", "/metadata/uid", "/metadata", "")
"""Copied elsewhere these would be told as they are, and differ."""


async def _json(walk: Walk) -> None:
    api, draw = walk.api, walk.draw
    places = ("/metadata/labels/x", "/metadata/labels", "/metadata/annotations/n.io~1a", "/metadata/finalizers/-",
              "/metadata/finalizers/0", "/metadata/finalizers", api.kind.pointer, "/spec/nosuch", "/status/phase",
              "/metadata/resourceVersion", "/metadata", "/status", "", "/metadata/uid")  # fmt: skip
    values = ("1", {"x": "1"}, ["n.io/hold"], "n.io/hold", api.kind.values[0], None, 5, {})
    operations = [
        {
            "op": draw.choice(("add", "add", "replace", "remove", "test", "copy", "move")),
            "path": draw.choice(places),
            "value": draw.choice(values),
            "from": draw.choice([each for each in places if each not in _TOLD]),
        }
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]
    await api.patch(operations, walk.name(), walk.query(), sub=walk.sub(), type=JSON_PATCH)


async def _apply(walk: Walk) -> None:
    short = walk.name()
    members = walk.members()
    metadata = {k: v for k, v in members.pop("metadata", {}).items() if k != "generateName"}
    if metadata.get("annotations") == NO_TEXT:
        del metadata["annotations"]  # whether this is told beside other mistakes is a matter of luck
    body = {**walk.api.identity(short), **members}
    body["metadata"] = {**body["metadata"], **metadata}
    if walk.chance(0.5):
        body["spec"] = {**walk.api.sample(short)["spec"], **(body.get("spec") or {})}
    query = walk.query(manager=True) + walk.draw.choice(("", "&force=true"))
    await walk.api.send("PATCH", walk.api.at(short, walk.sub()), body=body, query=query, type=APPLY)


async def _delete(walk: Walk) -> None:
    draw, short = walk.draw, walk.name()
    known = walk.known.get(walk.api.name(short), {}).get("metadata", {})
    options: Obj = {}
    if walk.chance(0.5):
        options["propagationPolicy"] = draw.choice(("Background", "Later"))
    if walk.chance(0.2):
        options["orphanDependents"] = False
    if walk.chance(0.3):
        options["preconditions"] = draw.choice(
            (
                {"uid": known.get("uid")},
                {"uid": OTHER_UID},
                {"resourceVersion": known.get("resourceVersion")},
                {},
            )
        )
    if walk.chance(0.2):
        options["gracePeriodSeconds"] = draw.choice((0, 5, -1))
    if walk.chance(0.1):
        options["dryRun"] = ["All"]
    body = {"kind": "DeleteOptions", "apiVersion": draw.choice(("v1", "meta.k8s.io/v1")), **options}
    await walk.api.delete(short, body=draw.choice((body, body, None)))


async def _clear(walk: Walk) -> None:
    """Let go of what holds an object back."""
    await walk.api.patch({"metadata": {"finalizers": None}}, walk.name(), label="let go")


async def _delete_some(walk: Walk) -> None:
    if not walk.api.kind.namespaced:
        return  # others walk there as well
    await walk.api.send("DELETE", walk.api.collection, query=f"labelSelector=x%3D{walk.draw.choice('12')}")


async def _read(walk: Walk) -> None:
    accept = walk.draw.choice((JSON, YAML, TABLE, METADATA))
    await walk.api.get(walk.name(), sub=walk.sub(), headers={"Accept": accept})


async def _list(walk: Walk) -> None:
    selected = ("labelSelector=x%3D1", "labelSelector=x,!y", "resourceVersion=0&labelSelector=x")
    # where others walk as well a whole list may be a large one on one side and not yet on the other
    whole = ("", "limit=500") if walk.api.kind.namespaced else ()
    await walk.api.list(walk.draw.choice((*whole, *selected)))


_WEIGHED: Final[tuple[tuple[Callable[[Walk], Awaitable[None]], int], ...]] = (
    (_create, 4), (_fresh, 8), (_put, 8), (_merge, 8), (_json, 6), (_apply, 10), (_delete, 4), (_clear, 3),
    (_delete_some, 1), (_read, 2), (_list, 2),
)  # fmt: skip
_STEPS, _WEIGHTS = zip(*_WEIGHED, strict=True)


random_cases(Area.WRITES, "walk", lambda api, seed: Walk(api, seed).go())
