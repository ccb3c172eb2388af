"""The kinds of operations that work on nodes: one entry each, from which their plans follow.

The order is the one in which the operators of a data plane then work: datacenters as listed, racks by the
name of their StatefulSet; inside a rack restarts go from the highest ordinal down, jobs up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from missioncontrol.planning.plans import Outlook, Plan, Refusal, Step, busy, unfit
from missioncontrol.validation.causes import Cause, duplicate, forbidden, invalid, not_found, required
from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.values import integer, mapping, sequence, text

Chooser = Callable[[Outlook], list[str]]
Causes = Callable[[Outlook, list[str]], Iterator[Cause]]
Steps = Callable[["Entry", Outlook, list[str]], Iterator[Step]]
Mends = Callable[[Outlook, str], bool]


def _as_listed(outlook: Outlook) -> list[str]:
    return outlook.wanted or outlook.running


def _mends_nothing(_: Outlook, __: str) -> bool:
    return False


def _no_more(_: Outlook, __: list[str]) -> Iterator[Cause]:
    return iter(())


def _by_rack(entry: Entry, outlook: Outlook, chosen: list[str]) -> Iterator[Step]:
    """Every chosen rack, with all of its pods."""
    for name in chosen:
        for rack, size in outlook.rack_sizes(name):
            if outlook.racks and rack not in outlook.racks:
                continue
            pods = outlook.pods(name, rack, size)
            ordered = pods[::-1] if entry.downwards else pods
            yield entry.step(outlook, name, rack, ordered)


@dataclass(frozen=True, slots=True)
class Entry:
    """What distinguishes one kind from the others."""

    kind: str
    action: str
    """What stands in a step: "restart"."""
    does: str
    """What the operation does to nodes: "restarts"."""
    done: str
    """What was done to them: "restarted"."""
    takes_down: bool = False
    """Whether a node is away while it is worked on."""
    downwards: bool = False
    exclusive: bool = True
    """Whether it waits for the operations before it, and those behind wait for it."""
    choose: Chooser = _as_listed
    causes: Causes = _no_more
    steps: Steps = _by_rack
    more: str = ""
    pace: str = ""
    mends: Mends = _mends_nothing
    """Whether a datacenter that is not ready is one because of what the operation mends."""

    def step(self, outlook: Outlook, datacenter: str, rack: str, pods: Sequence[str]) -> Step:
        """A step, with what stays available meanwhile."""
        total = outlook.size(datacenter)
        left = f"{max(total - 1, 0)} of {total}" if self.takes_down else f"all {total}"
        told = f"{left} nodes of {datacenter} stay available"
        return Step(datacenter, rack, tuple(pods), self.action, told)

    def plan(self, outlook: Outlook, others: Sequence[Mapping[str, Any]]) -> Plan | Refusal:
        """The plan, or what is wrong with the operation."""
        chosen = self.choose(outlook)
        causes = [
            *_datacenter_causes(outlook),
            *_rack_causes(outlook, chosen),
            *self.causes(outlook, chosen),
        ]
        if causes:
            return Refusal(tuple(causes))
        steps = tuple(self.steps(self, outlook, chosen))
        named = list(dict.fromkeys(step.datacenter for step in steps))
        # kinds that name nodes touch only their datacenters; of one that is not made yet no rack is known
        touched = named if named and self.steps is not _by_rack else chosen
        whole = [each for each in touched if not self.mends(outlook, each)]
        idle = () if chosen or self.choose is _stopped_ones else ("no datacenter of the cluster runs",)
        blocking = (*idle, *unfit(outlook, whole), *busy(others if self.exclusive else ()))
        name = text(outlook.spec.get("clusterName"))
        return Plan(name, self.does, steps, blocking, pace=self.pace or _pace(outlook), more=self.more)


def _pace(outlook: Outlook) -> str:
    most = integer(outlook.arguments.get("maxConcurrentPods")) or 1
    return "one at a time" if most == 1 else f"up to {most} of a rack at a time"


def plan(
    spec: Mapping[str, Any],
    cluster: Mapping[str, Any] | None,
    datacenters: Sequence[Mapping[str, Any]],
    *,
    others: Sequence[Mapping[str, Any]] = (),
) -> Plan | Refusal:
    """The plan of an operation.

    ``spec`` is the spec of the stored operation, ``cluster`` the stored cluster (None: there is none),
    ``datacenters`` the stored Datacenter objects of its namespace, ``others`` the operations before it.
    """
    if cluster is None:
        name = text(spec.get("clusterName"))
        return Refusal((not_found("spec.clusterName", name, "there is no such MissionControlCluster here"),))
    return CATALOG[text(spec.get("type"))].plan(Outlook.of(spec, cluster, datacenters), others)


# --- what is wrong with an operation -------------------------------------------------------------


def _datacenter_causes(outlook: Outlook) -> Iterator[Cause]:
    wanted = outlook.wanted
    for index, name in enumerate(wanted):
        path = f"spec.datacenters[{index}]"
        if name in wanted[:index]:
            yield duplicate(path, name)
        elif name not in outlook.known:
            listed = ", ".join(outlook.known) or "none"
            yield not_found(path, name, f"the datacenters of the cluster are: {listed}")


def _rack_causes(outlook: Outlook, chosen: Sequence[str]) -> Iterator[Cause]:
    present = {rack for name in chosen for rack, _ in outlook.rack_sizes(name)}
    for index, rack in enumerate(outlook.racks):
        if rack not in present:
            listed = ", ".join(sorted(present)) or "not known yet"
            path = f"{outlook.member}.racks[{index}]"
            yield not_found(path, rack, f"the racks of these datacenters are: {listed}")


# --- rebuild -------------------------------------------------------------------------------------


def _all_but_the_source(outlook: Outlook) -> list[str]:
    source = text(outlook.arguments.get("sourceDatacenter"))
    return outlook.wanted or [name for name in outlook.running if name != source]


def _rebuild_causes(outlook: Outlook, chosen: list[str]) -> Iterator[Cause]:
    source, path = text(outlook.arguments.get("sourceDatacenter")), f"{outlook.member}.sourceDatacenter"
    if not source:
        return  # the schema asks for it
    if source not in outlook.known:
        listed = ", ".join(outlook.known) or "none"
        yield not_found(path, source, f"the datacenters of the cluster are: {listed}")
    elif source in outlook.wanted:
        index = outlook.wanted.index(source)
        detail = "a datacenter is not rebuilt from itself: it is the sourceDatacenter"
        yield invalid(f"spec.datacenters[{index}]", source, detail)
    elif not chosen:
        yield invalid(path, source, "the cluster has no other datacenter that could be rebuilt from it")


# --- token moves ---------------------------------------------------------------------------------


def _moved(outlook: Outlook) -> dict[str, tuple[str, str]]:
    """Place by pod, for the pods that get a token."""
    tokens, places = mapping(outlook.arguments.get("tokens")), outlook.places()
    return {pod: place for pod, place in places.items() if pod in tokens}


def _move_causes(outlook: Outlook, chosen: list[str]) -> Iterator[Cause]:
    tokens, places = mapping(outlook.arguments.get("tokens")), outlook.places()
    taken: dict[str, str] = {}
    for pod, token in sorted(tokens.items()):
        path = f"{outlook.member}.tokens[{pod}]"
        if pod not in places or places[pod][0] not in chosen:
            yield not_found(path, pod, f"no node of {', '.join(chosen) or 'the cluster'} has this name")
        if text(token) in taken:
            yield invalid(path, text(token), f"is the token of {taken[text(token)]} already")
        taken.setdefault(text(token), pod)
    view = spec_view(outlook.cluster)
    for datacenter in view.datacenters:
        if not any(place[0] == datacenter.name for place in _moved(outlook).values()):
            continue
        number = integer(datacenter.num_tokens().value)
        if number != 1:
            has = f"{number} tokens" if number else "Cassandra's default number of tokens"
            detail = f"the nodes of {datacenter.name} have {has}; only nodes with num_tokens: 1 can be moved"
            yield forbidden(f"{outlook.member}.tokens", detail)


def _by_token(entry: Entry, outlook: Outlook, chosen: list[str]) -> Iterator[Step]:
    moved = _moved(outlook)
    for name in chosen:
        for rack, _ in outlook.rack_sizes(name):
            pods = [pod for pod, place in moved.items() if place == (name, rack)]
            if pods:
                yield entry.step(outlook, name, rack, pods)


# --- node replacement ----------------------------------------------------------------------------


def _to_replace(outlook: Outlook) -> list[str]:
    return [text(pod) for pod in sequence(outlook.arguments.get("nodes"))]


def _replacement_causes(outlook: Outlook, chosen: list[str]) -> Iterator[Cause]:
    places, pods = outlook.places(), _to_replace(outlook)
    for index, pod in enumerate(pods):
        path = f"{outlook.member}.nodes[{index}]"
        if pod in pods[:index]:
            yield duplicate(path, pod)
        elif pod not in places or places[pod][0] not in chosen:
            yield not_found(path, pod, f"no node of {', '.join(chosen) or 'the cluster'} has this name")
    for name in chosen:
        given = [pod for pod in pods if places.get(pod, ("", ""))[0] == name]
        if given and outlook.size(name) <= len(set(given)):
            detail = f"nothing would be left of {name} from which the new nodes could stream their data"
            yield forbidden(f"{outlook.member}.nodes", detail)


def _by_node(entry: Entry, outlook: Outlook, chosen: list[str]) -> Iterator[Step]:
    places = outlook.places()
    for pod in _to_replace(outlook):
        yield entry.step(outlook, *places[pod], [pod])


def _down_but_replaced(outlook: Outlook, name: str) -> bool:
    """Whether all nodes of a datacenter that do not serve are among those that are replaced."""
    down = {str(node["name"]) for node in outlook.nodes(name) if not node.get("ready")}
    return bool(down) and down <= set(_to_replace(outlook))


# --- stop and start ------------------------------------------------------------------------------


def _stop_causes(outlook: Outlook, chosen: list[str]) -> Iterator[Cause]:
    if not outlook.wanted:
        yield required("spec.datacenters", "the datacenters to stop; there is no default for this")
        return
    left = [name for name in outlook.running if name not in chosen]
    if not left and set(chosen) <= set(outlook.known) and outlook.arguments.get("allowLast") is not True:
        detail = (
            f"no datacenter of the cluster would be left running after {', '.join(chosen)}, so that nobody "
            "could read or write; allowLast: true does it all the same"
        )
        yield forbidden(f"{outlook.member}.allowLast", detail)


def _stopped_ones(outlook: Outlook) -> list[str]:
    return outlook.wanted or outlook.stopped


def _whole(entry: Entry, outlook: Outlook, chosen: list[str]) -> Iterator[Step]:
    """All racks of a datacenter at once."""
    for index, name in enumerate(chosen):
        done = chosen[: index + 1]
        for rack, size in outlook.rack_sizes(name):
            pods = outlook.pods(name, rack, size)
            yield Step(name, rack, tuple(pods), entry.action, _left(outlook, name, done))


def _left(outlook: Outlook, name: str, done: list[str]) -> str:
    others = [each for each in outlook.running if each not in done]
    rest = f"; {', '.join(others)} stay{'s' if len(others) == 1 else ''} available" if others else ""
    return f"no node of {name} stays available{rest}"


def _starting(entry: Entry, outlook: Outlook, chosen: list[str]) -> Iterator[Step]:
    for name in chosen:
        for rack, size in outlook.rack_sizes(name):
            pods = outlook.pods(name, rack, size)
            told = f"no node of {name} is available until it runs; the other datacenters are not touched"
            yield Step(name, rack, tuple(pods), entry.action, told)


def _always(_: Outlook, __: str) -> bool:
    return True


_ENTRIES: Final[tuple[Entry, ...]] = (
    Entry("RollingRestart", "restart", "restarts", "restarted", takes_down=True, downwards=True),
    Entry("Cleanup", "cleanup", "cleans up", "cleaned up"),
    Entry("SSTableUpgrade", "upgradesstables", "upgrades the SSTables of", "upgraded"),
    Entry("Scrub", "scrub", "scrubs", "scrubbed"),
    Entry("Compaction", "compact", "compacts", "compacted"),
    Entry("GarbageCollection", "garbagecollect", "collects the garbage of", "collected"),
    Entry("Flush", "flush", "flushes", "flushed", exclusive=False),
    Entry(
        "Rebuild",
        "rebuild",
        "rebuilds",
        "rebuilt",
        choose=_all_but_the_source,
        causes=_rebuild_causes,
        more="until a node is rebuilt, it may not answer with all of its data",
    ),
    Entry(
        "NodeReplacement",
        "replace",
        "replaces",
        "replaced",
        takes_down=True,
        causes=_replacement_causes,
        steps=_by_node,
        mends=_down_but_replaced,
        more="their disks are given up",
    ),
    Entry(
        "DatacenterStop",
        "stop",
        "stops",
        "stopped",
        causes=_stop_causes,
        steps=_whole,
        mends=_always,
        pace="a datacenter at a time",
        more="their volumes are kept",
    ),
    Entry(
        "DatacenterStart",
        "start",
        "starts",
        "started",
        choose=_stopped_ones,
        steps=_starting,
        mends=_always,
        pace="a datacenter at a time",
    ),
    Entry("TokenMove", "move", "moves", "moved", causes=_move_causes, steps=_by_token),
)
CATALOG: Final[Mapping[str, Entry]] = {entry.kind: entry for entry in _ENTRIES}
