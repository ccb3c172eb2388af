"""Tells the recorded stories of upstream's operator to ours, and keeps what came of them.

Each story is compared for itself: the calls to nodes, the events, and the conditions of the datacenter on
their way and at the end. What differs on purpose is named by the test that tells the story.
"""

from __future__ import annotations

from collections.abc import Iterable

from missioncontrol.api.names import EventReason, Label
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, CASSANDRA_TASKS
from tests.cassandra_stories import (
    Call,
    Json,
    Story,
    Told,
    comparable_call,
    comparable_status,
    counts,
    read_story,
)
from tests.integration.cassandra.conftest import Plane
from tests.waiting import eventually

# upstream reconciles once more than it has seen, and writes hashes of changed numbers of nodes
UPSTREAM_ALONE = {("Warning", "ReconcileFailed"), ("Normal", "UpdatingRack")}
Conditions = dict[str, tuple[str, str]]
"""Status and time of the last change by type: what was True in between has another time."""

OURS_ALONE = {
    ("Normal", EventReason.TASK_STARTED.value),
    ("Normal", EventReason.TASK_COMPLETE.value),
    ("Warning", EventReason.TASK_FAILED.value),
    ("Warning", EventReason.TASK_POD_FAILED.value),
}


class Narrator:
    """Tells stories to one datacenter and keeps what came of them."""

    folder = "stories"

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._told: set[Told] = set()
        self._heard = 0
        self._told_of_seeds = 0
        self._before: Conditions = {}

    def story(self, number: str) -> Story:
        """A story that begins now: its inputs are for the test to apply."""
        found = read_story(number, namespace=self.plane.namespace, folder=self.folder)
        self._told |= found.events
        self._before = self._conditions()
        return found

    def begin(self, number: str) -> None:
        """Make the datacenter of a story and wait until it is ready."""
        [body] = self.story(number).inputs
        spec = {key: value for key, value in body["spec"].items() if key != "clusterName"}
        self.plane.create_datacenter(body["metadata"]["name"], **spec)
        self.plane.wait_settled()

    def patch(self, number: str) -> Story:
        """The story of a changed datacenter."""
        story = self.story(number)
        [patch] = story.inputs
        self.plane.patch_datacenter(patch)
        self.plane.wait_settled()
        return story

    def task(self, number: str) -> Story:
        """The story of one task, which has to end as upstream's did."""
        story = self.story(number)
        [body], [ending] = story.inputs, story.endings
        ended = self.run(body)
        assert comparable_status(ended["status"]) == comparable_status(ending["status"])
        assert_same_metadata(ended, ending)
        return story

    def run(self, body: Json) -> Json:
        """Create a task; how it ended."""
        name = body["metadata"]["name"]
        self.plane.admin.request("POST", CASSANDRA_TASKS.path(self.plane.namespace), body)
        self.plane.wait_task(name)

        def ended_with_its_label() -> Json | None:
            found = self.plane.get(CASSANDRA_TASKS, name)
            return found if found["metadata"]["labels"][Label.TASK_STATUS] != "active" else None

        ended: Json = eventually(ended_with_its_label, f"{name} is no active task any more")
        return ended

    def new_reloads(self) -> list[str]:
        """The nodes that were told of other seeds since the last look."""
        fresh = self._reloads()
        self._told_of_seeds += len(fresh)
        return sorted(fresh)

    def wait_reloads(self, nodes: list[str], what: str) -> None:
        """Wait until these nodes were told of other seeds since the last look, in one look or several."""
        eventually(lambda: sorted(self._reloads()) == nodes, what)
        assert self.new_reloads() == nodes

    def _reloads(self) -> list[str]:
        return [each["pod"] for each in self.plane.calls("/ops/seeds/reload")][self._told_of_seeds :]

    def new_calls(self) -> list[Call]:
        """The calls since the last look."""
        fresh = self.plane.calls("")[self._heard :]
        self._heard += len(fresh)
        return self._comparable(fresh)

    def wait_calls(self, calls: Iterable[Call], what: str) -> None:
        """Wait until these are the calls since the last look, however many looks it takes."""
        expected = list(calls)
        eventually(lambda: self._comparable(self.plane.calls("")[self._heard :]) == expected, what)
        assert self.new_calls() == expected

    @staticmethod
    def _comparable(calls: Iterable[Json]) -> list[Call]:
        return [
            comparable_call(each["pod"], each["path"], each.get("body"))
            for each in calls
            if each["method"] != "GET" and counts(each["path"])
        ]

    def assert_conditions(self, story: Story, *, besides: Iterable[str] = ()) -> None:
        """The conditions that changed on the way are those of the story, and came to the same end."""
        before, after = self._before, self._conditions()
        changed = {kind: each[0] for kind, each in after.items() if each != before.get(kind)}
        assert {kind: state for kind, state in changed.items() if kind not in besides} == story.conditions

    def _conditions(self) -> Conditions:
        found = self.plane.find(CASSANDRA_DATACENTERS, "dc1") or {}
        told = found.get("status", {}).get("conditions", [])
        return {each["type"]: (each["status"], each["lastTransitionTime"]) for each in told}

    def assert_told(self, besides: Iterable[Told] = (), without: Iterable[Told] = ()) -> None:
        """Every event of the stories was told, and no other."""

        def events() -> set[Told]:
            return {(each["type"], each["reason"]) for each in self.plane.events()} - OURS_ALONE

        expected = self._told - UPSTREAM_ALONE - set(without)
        eventually(lambda: expected <= events(), f"the events {expected}")
        found = {told for told in events() - UPSTREAM_ALONE if told[1] in set(EventReason)}
        assert found == expected | set(besides)


def assert_same_metadata(ours: Json, upstreams: Json) -> None:
    """Labels and owners are those of upstream's object."""
    assert ours["metadata"].get("labels") == upstreams["metadata"].get("labels")
    owners = [
        {key: value for key, value in owner.items() if key != "uid"}
        for owner in ours["metadata"]["ownerReferences"]
    ]
    assert owners == upstreams["metadata"]["ownerReferences"]
