"""The arguments of the kinds of operations that carry Cassandra's own work on nodes out, one model for each.

Names and meanings are those of nodetool; limits keep what can only be a mistake from being stored.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from missioncontrol.api.model import LIST_ATOMIC, LIST_SET, Int32, KubeModel, Rule, Schema
from missioncontrol.api.operations import OperationSpec

Name = Annotated[str, Field(min_length=1, max_length=253)]
RackName = Annotated[str, Field(min_length=1, max_length=253)]
Keyspace = Annotated[str, Field(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9_]+$")]
Table = Annotated[str, Field(min_length=1, max_length=222, pattern=r"^[A-Za-z0-9_]+$")]
Token = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^-?[0-9]+$")]

TABLES_NEED_A_KEYSPACE = Rule(
    "!has(self.tables) || self.tables.size() == 0 || has(self.keyspace)",
    "tables are those of a keyspace: name it as well",
    field_path=".tables",
)


class RackArguments(KubeModel):
    """Which racks to work on."""

    racks: Annotated[list[RackName], LIST_SET] = Field(
        default_factory=list,
        max_length=100,
        description="Names of the racks to work on, in the datacenters that have them; all if empty.",
    )


class NodeJobArguments(RackArguments):
    """What jobs on nodes have in common."""

    max_concurrent_pods: Int32 = Field(
        1, ge=1, le=100, description="Nodes of one rack that are worked on at the same time."
    )
    retries: Int32 = Field(
        1, ge=0, le=10, description="How often a job that failed on a node is tried again."
    )


class TableArguments(NodeJobArguments):
    """Jobs on tables."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (TABLES_NEED_A_KEYSPACE,)

    keyspace: Keyspace | None = Field(None, description="Keyspace to work on; all if unset.")
    tables: Annotated[list[Table], LIST_SET] = Field(
        default_factory=list, max_length=100, description="Tables of the keyspace to work on; all if empty."
    )


class ThreadedTableArguments(TableArguments):
    """Jobs on tables that can use several threads of a node."""

    jobs: Int32 | None = Field(
        None,
        ge=0,
        le=256,
        description="SSTables that a node works on at the same time; 0 for all of its compaction threads, "
        "Cassandra's default if unset.",
    )


class CleanupArguments(ThreadedTableArguments):
    """The arguments of a cleanup."""


class SSTableUpgradeArguments(ThreadedTableArguments):
    """The arguments of an upgrade of SSTables."""


class GarbageCollectionArguments(ThreadedTableArguments):
    """The arguments of a garbage collection."""


class FlushArguments(TableArguments):
    """The arguments of a flush."""


class ScrubArguments(ThreadedTableArguments):
    """The arguments of a scrub."""

    no_snapshot: bool = Field(False, description="Take no snapshot before.")
    no_validate: bool = Field(False, description="Do not check the values of columns.")
    skip_corrupted: bool = Field(
        False, description="Skip corrupted partitions, also those of counter tables."
    )


class CompactionArguments(TableArguments):
    """The arguments of a compaction."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (
        TABLES_NEED_A_KEYSPACE,
        Rule(
            "has(self.startToken) == has(self.endToken)",
            "a range of tokens has a startToken and an endToken",
            field_path=".startToken",
        ),
        Rule(
            "!self.splitOutput || !has(self.startToken)",
            "cannot be used together with a range of tokens",
            field_path=".splitOutput",
        ),
    )

    split_output: bool = Field(
        False, description="Write SSTables of 50, 25, 12.5 ... percent instead of one."
    )
    start_token: Token | None = Field(None, description="First token of the range to compact.")
    end_token: Token | None = Field(None, description="Last token of the range to compact.")


class RebuildArguments(NodeJobArguments):
    """The arguments of a rebuild."""

    source_datacenter: Name = Field(
        description="Datacenter of the cluster to stream from. It is not rebuilt itself."
    )


class TokenMoveArguments(KubeModel):
    """The arguments of moves."""

    tokens: Annotated[dict[str, Token], Schema({"minProperties": 1, "maxProperties": 300})] = Field(
        description="The new token of each node that is to move, by the name of its pod. Only where nodes "
        "have one token (num_tokens: 1)."
    )


class NodeReplacementArguments(KubeModel):
    """The arguments of a replacement."""

    nodes: Annotated[list[Name], LIST_ATOMIC] = Field(
        min_length=1,
        max_length=300,
        description="Nodes to replace, by the names of their pods, one after the other in this order. Their "
        "disks are given up: each new node streams its data from the others.",
    )


class DatacenterStopArguments(KubeModel):
    """The arguments of a stop."""

    allow_last: bool = Field(
        False,
        description="Stop also the last datacenter of the cluster that runs: no data can be read then.",
    )


class DatacenterStartArguments(KubeModel):
    """The arguments of a start: there are none."""


class CleanupSpec(OperationSpec, CleanupArguments):
    """Every node drops the data that it is no longer a replica of."""


class RebuildSpec(OperationSpec, RebuildArguments):
    """Every node streams its data from another datacenter."""


class SSTableUpgradeSpec(OperationSpec, SSTableUpgradeArguments):
    """Every node rewrites its SSTables in the format of the version that it runs."""


class ScrubSpec(OperationSpec, ScrubArguments):
    """Every node rewrites its SSTables and leaves out what is corrupt."""


class CompactionSpec(OperationSpec, CompactionArguments):
    """Every node merges its SSTables."""


class GarbageCollectionSpec(OperationSpec, GarbageCollectionArguments):
    """Every node removes data that was deleted."""


class FlushSpec(OperationSpec, FlushArguments):
    """Every node writes its memtables to disk."""


class TokenMoveSpec(OperationSpec, TokenMoveArguments):
    """Nodes take other tokens, one node after the other."""


class NodeReplacementSpec(OperationSpec, NodeReplacementArguments):
    """New nodes with empty disks take the place of nodes, one after the other."""


class DatacenterStopSpec(OperationSpec, DatacenterStopArguments):
    """All nodes of datacenters are stopped; their data is kept."""


class DatacenterStartSpec(OperationSpec, DatacenterStartArguments):
    """Stopped datacenters run again."""
