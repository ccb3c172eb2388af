"""A life: the stories one after the other in a namespace of its own, with the operator ending in each.

What is left and what the nodes went through is compared with a life in which nothing went wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from missioncontrol.kube.config import ClusterConfig
from tests.crash.faults import Faults
from tests.crash.instance import Instance
from tests.crash.stage import Json, Stage, until
from tests.crash.stories import Story

FaultsFor = Callable[[Story, int], Faults | None]
"""The faults of a story's n-th instance; None: as the one before went, nothing more happens."""
PATIENCE = 120.0
"""Seconds for one story; a busy machine needs more than a fault does."""
HARMLESS = ("/api/v0/ops/seeds", "/api/v0/ops/auth")
"""Calls that may be repeated as often as one likes."""
STARTS = frozenset({"bootstrap", "restart", "replace"})


@dataclass
class Chapter:
    """How one story went."""

    story: Story
    began: float
    deaths: list[str] = field(default_factory=list)
    forgotten: Counter[str] = field(default_factory=Counter)
    """Calls that were carried out shortly before an end, so that nobody could know of them afterwards."""
    lost: set[str] = field(default_factory=set)
    """Calls that were made and did not arrive."""
    counts: Counter[str] = field(default_factory=Counter)
    points: int = 0
    objects: Json = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def events(self) -> Counter[str]:
        """What happened to which node how often."""
        return Counter(f"{each['event']} {each['pod']}" for each in self.history)

    @property
    def submitted(self) -> Counter[str]:
        """Calls that make nodes do something that is not to be done twice."""
        paths = (each for each in self.calls if each["method"] == "POST" and each["status"] < 300)
        return Counter(
            f"POST {each['pod']}{each['path'].partition('?')[0]}"
            for each in paths
            if "/ops/" in each["path"]
            and not each["path"].startswith(("/api/v0/ops/seeds", "/api/v0/ops/auth"))
        )


@dataclass
class Life:
    """The chapters of a life, and why there are no more of them, if there should be."""

    label: str
    chapters: list[Chapter] = field(default_factory=list)
    stuck: str = ""


async def live(
    stage: Stage, config: ClusterConfig, stories: tuple[Story, ...], faults_for: FaultsFor, label: str
) -> Life:
    """Live through the stories."""
    life = Life(label)
    for story in stories:
        chapter = Chapter(story, time.time())
        try:
            await _chapter(stage, config, chapter, faults_for)
        except AssertionError as error:
            life.stuck = f"{label}, {story.name}, ended at {chapter.deaths}: {error}; {await stage.says()}"
            break
        life.chapters.append(chapter)
    return life


async def _chapter(stage: Stage, config: ClusterConfig, chapter: Chapter, faults_for: FaultsFor) -> None:
    story = chapter.story
    number = 0
    instance = Instance(config, stage.namespace, faults_for(story, number) or Faults())
    instance.start()
    try:
        await story.act(stage)

        async def over() -> bool:
            nonlocal instance, number
            if instance.dead:
                chapter.deaths.append(getattr(instance.faults, "at", ""))
                await instance.end()
                chapter.counts.update(instance.faults.counts)
                chapter.forgotten.update(instance.faults.unrecorded)
                chapter.forgotten.update(instance.faults.unanswered)
                number += 1
                instance = Instance(config, stage.namespace, faults_for(story, number) or Faults())
                instance.start()
                return False
            return instance.idle and await story.done(stage) and instance.idle

        await until(over, "it is done", timeout=PATIENCE)
    finally:
        await instance.end()
    chapter.seconds = time.time() - chapter.began
    chapter.counts.update(instance.faults.counts)
    chapter.forgotten.update(instance.faults.unanswered)
    chapter.lost.update(instance.faults.lost)
    chapter.points = getattr(instance.faults, "seen", 0)
    chapter.objects = await stage.objects()
    chapter.history = await stage.told("history", since=chapter.began)
    chapter.calls = await stage.told("calls", since=chapter.began)


def differences(chapter: Chapter, model: Chapter) -> list[str]:
    """What is other than in the life in which nothing went wrong; and what must never be."""
    found = [f"the object {each}" for each in _differing("", chapter.objects, model.objects)]
    for call, times in chapter.submitted.items():
        most = model.submitted[call] + _repeatable(chapter, call)
        if times > most:
            found.append(f"{call} {times} times, not {most}")
    # a drain is a courtesy, and not repeated
    there = chapter.submitted.keys() | {each for each in chapter.lost if each.endswith("/drain")}
    found += [f"{call} is missing" for call in model.submitted if call not in there]
    mine, theirs = chapter.events, model.events
    found += [f"{key} {mine[key]} times, not {theirs[key]}" for key in sorted(mine | theirs)
              if mine[key] != theirs[key]]  # fmt: skip
    for each in chapter.history:
        if each["event"] in ("refused", "ignored"):
            found.append(f"{each['pod']} {each['event']}: {each['detail']}")
    if not chapter.story.outage:
        found += _below_quorum(chapter)
    return found


def _repeatable(chapter: Chapter, call: str) -> int:
    """How often a call may be made once more: the id of a job that was not written down is lost, and what a
    synchronous job gives is known to its caller alone.
    """
    if call.endswith(("/ops/node/decommission", "/ops/node/move")):
        # the ring shows what these have done
        return 0
    synchronous = "/api/v0/" in call
    return len(chapter.deaths) + chapter.forgotten[call] if synchronous else chapter.forgotten[call]


def _below_quorum(chapter: Chapter) -> list[str]:
    """Racks are replicas: nodes of two racks down at the same time are one too many."""
    down: dict[str, str] = {}
    found = []
    for each in chapter.history:
        if each["event"] in ("drained", "stopped", "crashed"):
            down[each["pod"]] = each["rack"]
        elif each["event"] in STARTS:
            down.pop(each["pod"], None)
        if len(set(down.values())) > 1:
            found.append(f"down together: {', '.join(sorted(down))}")
    return found


def _differing(path: str, mine: Any, theirs: Any) -> list[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            line
            for key in sorted(mine.keys() | theirs.keys())
            for line in _differing(f"{path}.{key}" if path else key, mine.get(key), theirs.get(key))
        ]
    return [] if mine == theirs else [f"{path} is {mine!r}, not {theirs!r}"]


async def all_at_once(work: list[Any], *, at_once: int) -> list[Any]:
    """Run the lives, so many at the same time."""
    gate = asyncio.Semaphore(at_once)

    async def one(each: Any) -> Any:
        async with gate:
            return await each()

    return await asyncio.gather(*(one(each) for each in work))


def report(lives: list[Life], model: Life) -> list[str]:
    """What is wrong with lives, for people."""
    found = [life.stuck for life in lives if life.stuck]
    for life in lives:
        told: set[str] = set()
        for chapter, right in zip(life.chapters, model.chapters, strict=False):
            # what went wrong once stays wrong: it is told where it began
            differs = differences(chapter, right)
            wrong = [each for each in differs if each not in told]
            told.update(differs)
            if wrong:
                head = f"{life.label}, {chapter.story.name}, ended at {', '.join(chapter.deaths)}:"
                found.append("\n    ".join([head, *wrong[:12]]))
    return found
