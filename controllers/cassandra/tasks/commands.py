"""The commands of CassandraTask, one entry each.

A command either works on StatefulSets (restart) or has a call of the management API for each pod, which the
node runs as an asynchronous job where it can, and synchronously where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from missioncontrol.api.control import JobArguments

Body = Mapping[str, Any] | None
_LATER = "is not supported yet"


def _no_body(_: JobArguments) -> Body:
    return None


def _no_query(_: JobArguments) -> Mapping[str, str]:
    return {}


def _anything(_: JobArguments) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class RackCommand:
    """Works on one StatefulSet after the other."""

    name: str
    check: Callable[[JobArguments], str] = _anything
    """What is wrong with the arguments, if anything, beginning with the field's path."""


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
    query: Callable[[JobArguments], Mapping[str, str]] = _no_query
    check: Callable[[JobArguments], str] = _anything

    def call(self, features: frozenset[str]) -> tuple[str, bool] | None:
        """The path to call on a node, and whether that begins an asynchronous job; None if it cannot."""
        able = self.feature in features
        if self.asynchronous and able:
            return self.asynchronous, True
        if self.synchronous and (able or self.asynchronous):
            return self.synchronous, False
        return None


Command = RackCommand | PodCommand


def _set(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [])}


def _keyspace(args: JobArguments) -> Body:
    return _set(keyspace_name=args.keyspace_name, tables=args.tables)


def _keyspace_with_threads(args: JobArguments) -> Body:
    jobs = str(args.jobs) if args.jobs is not None else None
    return _set(jobs=jobs, keyspace_name=args.keyspace_name, tables=args.tables)


def _compaction(args: JobArguments) -> Body:
    options = _set(start_token=args.start_token, end_token=args.end_token)
    if args.split_output:
        options["split_output"] = True
    return {**options, "keyspace_name": args.keyspace_name or "", "tables": args.tables or None}


def _scrub(args: JobArguments) -> Body:
    return {
        "disable_snapshot": bool(args.no_snapshot),
        "skip_corrupted": bool(args.skip_corrupted),
        "check_data": not args.no_validate,
        "jobs": -1 if args.jobs is None else args.jobs,
        "keyspace_name": args.keyspace_name or "",
        "tables": args.tables or None,
    }


def _source(args: JobArguments) -> Mapping[str, str]:
    return {"src_dc": args.source_datacenter} if args.source_datacenter else {}


def _plain_restart(args: JobArguments) -> str:
    for name, used in (("fast", args.fast), ("force", args.force), ("pod_name", args.pod_name)):
        if used:
            return f"spec.jobs[0].args.{name}: {_LATER} for restart"
    return ""


_ENTRIES: tuple[Command, ...] = (
    RackCommand("restart", check=_plain_restart),
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
        "tsreload",
        "reload_internode_truststore",
        synchronous="/api/v0/ops/node/encryption/internode/truststore/reload",
    ),
)
COMMANDS: Mapping[str, Command] = {entry.name: entry for entry in _ENTRIES}
UPSTREAM_ONLY = frozenset({"move", "replacenode", "refresh"})


def find_command(jobs: int, name: str, args: JobArguments) -> Command | str:
    """The command of a task, or the sentence that says why it cannot be carried out."""
    if jobs != 1:
        return f"spec.jobs: exactly one job is allowed, found {jobs}"
    command = COMMANDS.get(name)
    if command is None:
        if name in UPSTREAM_ONLY:
            return f"spec.jobs[0].command: {name} {_LATER}"
        return f"spec.jobs[0].command: {name!r} is not a command; known are {', '.join(sorted(COMMANDS))}"
    return command.check(args) or command
