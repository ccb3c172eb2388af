"""The commands of CassandraTask, one entry each.

A command works on StatefulSets (restart), on the datacenter as a whole (refresh), replaces nodes, or has a
call of the management API for each pod, which the node runs as an asynchronous job where it can, and
synchronously where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from controllers.cassandra.state import Gossip
from missioncontrol.api.control import JobArguments
from missioncontrol.api.names import clean_label_value

Body = Mapping[str, Any] | None
TOKEN_LIMIT: Final = 2**127
"""The largest token of any partitioner that has numbers for tokens."""
_ARGS: Final = "spec.jobs[0].args"


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a datacenter arguments may name."""

    racks: tuple[str, ...] = ()
    pods: Mapping[str, str] = field(default_factory=dict)
    """Their racks, as labels name them."""


def _no_body(_: JobArguments) -> Body:
    return None


def _no_query(_: JobArguments, __: str) -> Mapping[str, str]:
    return {}


def _no_more(_: JobArguments, __: Facts) -> str:
    return ""


def _by_filter(args: JobArguments, rack: str, pod: str) -> bool:
    """``rack`` is the value of a label, in which a name may be shortened."""
    return (not args.rack or rack == clean_label_value(args.rack)) and args.pod_name in (None, "", pod)


def _by_token(args: JobArguments, _: str, pod: str) -> bool:
    """Whoever is given a token is named by that."""
    return pod in (args.new_tokens or {})


class Standing(Enum):
    """How far a job is, as it shows in the ring, whoever began it."""

    OPEN = "is to be done"
    UNDER_WAY = "is being done"
    DONE = "is done"


def _moved(args: JobArguments, pod: str, gossip: Gossip) -> Standing:
    own = next((each for each in gossip if each.local), None)
    if own is None:
        return Standing.OPEN
    if own.status == "MOVING":
        return Standing.UNDER_WAY
    wanted = (args.new_tokens or {})[pod]
    return Standing.DONE if own.normal and own.token == str(int(wanted)) else Standing.OPEN


Check = Callable[[JobArguments, Facts], str]
"""What is wrong with the arguments, if anything, beginning with the field's path."""


@dataclass(frozen=True, slots=True)
class RackCommand:
    """Works on one StatefulSet after the other."""

    name: str
    check: Check = _no_more


@dataclass(frozen=True, slots=True)
class DatacenterCommand:
    """Asks the datacenter for something that its own reconciler does."""

    name: str
    check: Check = _no_more


@dataclass(frozen=True, slots=True)
class ReplaceCommand:
    """Gives up nodes with their disks, and has new ones take their place."""

    name: str
    check: Check = _no_more


@dataclass(frozen=True, slots=True)
class PodCommand:
    """Runs a job on one pod after the other."""

    name: str
    feature: str
    """What a node's management API must be able to do for the asynchronous (or only) form."""
    asynchronous: str = ""
    """Path of the call that begins a job; empty if there is none."""
    synchronous: str = ""
    """Path of the call that answers when the work is done; empty if there is none."""
    body: Callable[[JobArguments], Body] = _no_body
    query: Callable[[JobArguments, str], Mapping[str, str]] = _no_query
    """Of the arguments and the name of the pod."""
    chooses: Callable[[JobArguments, str, str], bool] = _by_filter
    """Whether a pod is one to work on, by its rack and name."""
    alone: bool = False
    """Whether it is never done on two nodes at once, whatever the task allows."""
    standing: Callable[[JobArguments, str, Gossip], Standing] | None = None
    """What gossip says of the job on a pod (named second), where it is not to be done a second time."""
    check: Check = _no_more

    def call(self, features: frozenset[str]) -> tuple[str, bool] | None:
        """The path to call on a node, and whether that begins an asynchronous job; None if it cannot."""
        able = self.feature in features
        if self.asynchronous and able:
            return self.asynchronous, True
        if self.synchronous and (able or self.asynchronous):
            return self.synchronous, False
        return None


Command = RackCommand | DatacenterCommand | ReplaceCommand | PodCommand


def _set(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [])}


def _keyspace(args: JobArguments) -> Body:
    return _set(keyspace_name=args.keyspace_name, tables=args.tables)


def _keyspace_with_threads(args: JobArguments) -> Body:
    # a negative number leaves the choice to the node, which has no word for that but silence
    jobs = str(args.jobs) if args.jobs is not None and args.jobs >= 0 else None
    return _set(jobs=jobs, keyspace_name=args.keyspace_name, tables=args.tables)


def _compaction(args: JobArguments) -> Body:
    options = {"split_output": True} if args.split_output else {}
    options |= _set(start_token=args.start_token, end_token=args.end_token)
    return {**options, "keyspace_name": args.keyspace_name or "", "tables": args.tables or None}


def _scrub(args: JobArguments) -> Body:
    return {
        "disable_snapshot": bool(args.no_snapshot),
        "skip_corrupted": bool(args.skip_corrupted),
        "check_data": not args.no_validate,
        "reinsert_overflowed_ttl": False,
        "jobs": -1 if args.jobs is None else args.jobs,
        "keyspace_name": args.keyspace_name or "",
        "tables": args.tables or None,
    }


def _source(args: JobArguments, _: str) -> Mapping[str, str]:
    return {"src_dc": args.source_datacenter} if args.source_datacenter else {}


def _new_token(args: JobArguments, pod: str) -> Mapping[str, str]:
    return {"newToken": (args.new_tokens or {})[pod]}


# --- what is wrong with arguments --------------------------------------------------------------


def _named_places(args: JobArguments, facts: Facts) -> str:
    """The rack and the pod that a command is to be limited to exist, and belong together."""
    rack = clean_label_value(args.rack or "")
    if args.rack and rack not in map(clean_label_value, facts.racks):
        return f"{_ARGS}.rack: there is no rack {args.rack!r}; the racks are: {_list(facts.racks)}"
    if args.pod_name and args.pod_name not in facts.pods:
        return f"{_ARGS}.pod_name: there is no pod {args.pod_name!r} in this datacenter"
    if args.rack and args.pod_name and facts.pods[args.pod_name] != rack:
        return f"{_ARGS}.pod_name: the pod {args.pod_name!r} is not in the rack {args.rack!r}"
    return ""


def _move(args: JobArguments, facts: Facts) -> str:
    if not args.new_tokens:
        return f"{_ARGS}.new_tokens: required, the new token of each node by the name of its pod"
    unknown = sorted(set(args.new_tokens) - set(facts.pods))
    if unknown:
        return f"{_ARGS}.new_tokens: there is no pod {_list(unknown)} in this datacenter"
    for pod, token in args.new_tokens.items():
        digits = token[1:] if token.startswith("-") else token
        if not (digits.isascii() and digits.isdecimal() and abs(int(token)) <= TOKEN_LIMIT):
            return f"{_ARGS}.new_tokens[{pod}]: {token!r} is not a token: it must be a whole number"
    if len(set(args.new_tokens.values())) < len(args.new_tokens):
        return f"{_ARGS}.new_tokens: two nodes cannot have the same token"
    return ""


def _replace(args: JobArguments, facts: Facts) -> str:
    if not args.rack and not args.pod_name:
        return f"{_ARGS}: either pod_name or rack is required, to say which nodes are to be replaced"
    return ""


_ENTRIES: Final[tuple[Command, ...]] = (
    RackCommand("restart"),
    DatacenterCommand("refresh"),
    ReplaceCommand("replacenode", check=_replace),
    PodCommand(
        "cleanup",
        "async_sstable_tasks",
        asynchronous="/api/v1/ops/keyspace/cleanup",
        synchronous="/api/v0/ops/keyspace/cleanup",
        body=_keyspace_with_threads,
    ),
    PodCommand(
        "upgradesstables",
        "async_upgrade_sstable_task",
        asynchronous="/api/v1/ops/tables/sstables/upgrade",
        synchronous="/api/v0/ops/tables/sstables/upgrade",
        body=_keyspace_with_threads,
    ),
    PodCommand(
        "scrub",
        "async_scrub_task",
        asynchronous="/api/v1/ops/tables/scrub",
        synchronous="/api/v0/ops/tables/scrub",
        body=_scrub,
    ),
    PodCommand(
        "compact",
        "async_compaction_task",
        asynchronous="/api/v1/ops/tables/compact",
        synchronous="/api/v0/ops/tables/compact",
        body=_compaction,
    ),
    PodCommand(
        "garbagecollect",
        "async_gc_task",
        asynchronous="/api/v1/ops/tables/garbagecollect",
        synchronous="/api/v0/ops/tables/garbagecollect",
        body=_keyspace_with_threads,
    ),
    PodCommand(
        "flush",
        "async_flush_task",
        asynchronous="/api/v1/ops/tables/flush",
        synchronous="/api/v0/ops/tables/flush",
        body=_keyspace,
    ),
    PodCommand("rebuild", "rebuild", asynchronous="/api/v1/ops/node/rebuild", query=_source),
    PodCommand(
        "move",
        "async_move_task",
        asynchronous="/api/v0/ops/node/move",
        query=_new_token,
        chooses=_by_token,
        alone=True,
        standing=_moved,
        check=_move,
    ),
    PodCommand(
        "tsreload",
        "reload_internode_truststore",
        synchronous="/api/v0/ops/node/encryption/internode/truststore/reload",
    ),
)
COMMANDS: Final[Mapping[str, Command]] = {entry.name: entry for entry in _ENTRIES}


def find_command(jobs: int, name: str, args: JobArguments | None, facts: Facts | None) -> Command | str:
    """The command of a task, or the sentence that says why it cannot be carried out.

    Without facts the arguments are believed: they were checked when the task began, and a pod that has gone
    since does not make them wrong.
    """
    if jobs != 1:
        return f"spec.jobs: exactly one job is allowed, found {jobs}"
    command = COMMANDS.get(name)
    if command is None:
        return f"spec.jobs[0].command: {name!r} is not a command; known are {_list(sorted(COMMANDS))}"
    if facts is None:
        return command
    given = args or JobArguments()
    return command.check(given, facts) or _named_places(given, facts) or command


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
