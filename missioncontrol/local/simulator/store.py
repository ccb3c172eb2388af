"""The shared state of all simulators: every process, disk and ring, and what happened to them.

Each public method is one short transaction, so that simulators of several planes can work on one ring. What
a rule has to decide is decided by `ring.py` inside the transaction, on the snapshot that was read in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from missioncontrol.local.simulator import ring, schema
from missioncontrol.local.simulator.ring import (
    Fresh,
    Ignored,
    Mode,
    Node,
    Process,
    Refused,
    Seeds,
    Snapshot,
    Started,
    State,
)

SYSTEM_KEYSPACES = ("system_auth", "system_distributed", "system_traces")
SIMPLE_REPLICATION = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}
FIRST_ADDRESS = 16
"""Addresses below are kept free; the last 256 of a plane's range belong to its Kubernetes nodes."""


class Store:
    """What one simulator reads and writes of the shared state; `plane` is its own."""

    def __init__(self, path: Path, *, plane: str, pod_cidr: str) -> None:
        self.plane = plane
        self.network = ipaddress.IPv4Network(pod_cidr)
        self.db: sqlite3.Connection = schema.connect(path)
        self.db.execute("INSERT OR IGNORE INTO planes VALUES (?, 0, ?)", (plane, FIRST_ADDRESS))

    def close(self) -> None:
        self.db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    # -- planes

    def heartbeat(self, now: float) -> None:
        self.db.execute("UPDATE planes SET heartbeat = ? WHERE plane = ?", (now, self.plane))

    # -- reading

    def snapshot(self, now: float, *, of_ring: str | None = None) -> Snapshot:
        """Everything, or what concerns one ring."""
        if of_ring is None:
            nodes = self.db.execute("SELECT * FROM nodes").fetchall()
            processes = self.db.execute("SELECT * FROM processes").fetchall()
        else:
            nodes = self.db.execute("SELECT * FROM nodes WHERE ring = ?", (of_ring,)).fetchall()
            processes = self.db.execute(
                "SELECT * FROM processes WHERE uid IN (SELECT uid FROM nodes WHERE ring = ?)", (of_ring,)
            ).fetchall()
        return self._snapshot(now, nodes, processes)

    def _around(self, now: float, process: Process, seeds: Seeds) -> Snapshot:
        """What can matter for the start of a process: the nodes of its cluster, its disk and its seeds."""
        marks = ", ".join("?" for _ in seeds.addresses)
        where = f"cluster = ? OR disk = ? OR ip IN ({marks})"
        values = (process.cluster, process.disk, *seeds.addresses)
        nodes = self.db.execute(f"SELECT * FROM nodes WHERE {where}", values).fetchall()
        processes = self.db.execute(
            f"SELECT * FROM processes WHERE uid IN (SELECT uid FROM nodes WHERE {where})", values
        ).fetchall()
        return self._snapshot(now, nodes, processes)

    def _snapshot(self, now: float, nodes: list[sqlite3.Row], processes: list[sqlite3.Row]) -> Snapshot:
        beats = self.db.execute("SELECT plane, heartbeat FROM planes").fetchall()
        return Snapshot(
            now=now,
            nodes=tuple(_node(row) for row in nodes),
            processes={row["uid"]: _process(row) for row in processes},
            heartbeats={row["plane"]: row["heartbeat"] for row in beats},
        )

    def process(self, uid: str) -> Process | None:
        row = self.db.execute("SELECT * FROM processes WHERE uid = ?", (uid,)).fetchone()
        return None if row is None else _process(row)

    def processes(self) -> list[Process]:
        """Those of this plane."""
        rows = self.db.execute("SELECT * FROM processes WHERE plane = ?", (self.plane,))
        return [_process(row) for row in rows.fetchall()]

    def processes_named(self, namespace: str, pod: str) -> list[Process]:
        """The incarnations of one pod of this plane that are not forgotten yet."""
        query = "SELECT * FROM processes WHERE plane = ? AND namespace = ? AND pod = ?"
        return [_process(row) for row in self.db.execute(query, (self.plane, namespace, pod)).fetchall()]

    def node_of(self, process: Process) -> Node | None:
        row = self.db.execute(
            "SELECT * FROM nodes WHERE uid = ? AND disk = ?", (process.uid, process.disk)
        ).fetchone()
        return None if row is None else _node(row)

    def disks(self) -> set[str]:
        """The disks of this plane that hold a node."""
        rows = self.db.execute("SELECT disk FROM nodes WHERE plane = ? AND disk != ''", (self.plane,))
        return {row["disk"] for row in rows.fetchall()}

    # -- pods

    def register(self, process: Process, *, address: str | None) -> Process:
        """Remember a pod incarnation, with an address of its own; the same answer for ever after."""
        with self.transaction():
            known = self.process(process.uid)
            if known is not None:
                return known
            process = replace(process, ip=address or self._free_address())
            self._put("processes", process)
        return process

    def _free_address(self) -> str:
        """The next address of this plane, in turn, so that an address comes back as late as possible."""
        size = self.network.num_addresses
        row = self.db.execute("SELECT next_address FROM planes WHERE plane = ?", (self.plane,)).fetchone()
        offset = int(row["next_address"])
        for _ in range(size):
            offset = offset if FIRST_ADDRESS <= offset < size - 256 else FIRST_ADDRESS
            address = str(self.network[offset])
            offset += 1
            if self.db.execute("SELECT 1 FROM processes WHERE ip = ?", (address,)).fetchone() is None:
                self.db.execute("UPDATE planes SET next_address = ? WHERE plane = ?", (offset, self.plane))
                return address
        raise RuntimeError(f"no free address left in {self.network}")

    def start(
        self,
        uid: str,
        *,
        seeds: Seeds,
        replace_ip: str,
        now: float,
        ready_at: float,
        record_refusal: bool = True,
    ) -> Started | Ignored | Refused | None:
        """Ask the ring whether Cassandra may start in this pod, and start it if so. None: no such pod.

        Without record_refusal a refusal is only told: the caller will look again with fresher seeds.
        """
        fresh = Fresh(host_id=str(uuid.uuid4()), ring=str(uuid.uuid4()))
        with self.transaction():
            process = self.process(uid)
            if process is None:
                return None
            outcome = ring.decide_start(
                self._around(now, process, seeds),
                process,
                seeds=seeds,
                replace_ip=replace_ip,
                ready_at=ready_at,
                fresh=fresh,
            )
            match outcome:
                case Started():
                    self._begin(process, outcome, now=now, ready_at=ready_at)
                case Refused(sentence):
                    if record_refusal:
                        self._record("refused", process, now=now, detail=sentence)
                case Ignored(status, sentence):
                    self._record("ignored", process, now=now, detail=f"{status}: {sentence}")
        return outcome

    def _begin(self, process: Process, started: Started, *, now: float, ready_at: float) -> None:
        node = started.node
        for host_id in started.forgotten:
            self.db.execute("DELETE FROM nodes WHERE host_id = ?", (host_id,))
        if started.new_ring:
            self._found(node)
        self._put("nodes", node)
        self._put("processes", replace(process, state=State.STARTED, ready_at=ready_at, changed_at=now))
        self._record(
            started.kind, process, now=now, host_id=node.host_id, detail=", ".join(started.forgotten)
        )

    def _found(self, node: Node) -> None:
        self.db.execute("INSERT INTO rings VALUES (?, ?, ?)", (node.ring, node.cluster, str(uuid.uuid4())))
        for name in SYSTEM_KEYSPACES:
            self.db.execute(
                "INSERT INTO keyspaces VALUES (?, ?, ?)", (node.ring, name, json.dumps(SIMPLE_REPLICATION))
            )
        self.db.execute("INSERT INTO roles VALUES (?, 'cassandra', 1, 1)", (node.ring,))

    def drain(self, uid: str, now: float, *, stopping: bool = False) -> None:
        """Flush and leave gossip; with `stopping` the pod is on its way out as well."""
        with self.transaction():
            process = self.process(uid)
            if process is None:
                return
            if process.state is State.STARTED:
                self._end(process, now)
                self._record("drained", process, now=now)
                process = replace(process, state=State.DRAINED, changed_at=now)
            if stopping and not process.stopping_at:
                process = replace(process, stopping_at=now)
            self._put("processes", process)

    def stop(self, uid: str, now: float, *, crash: bool = False, lose_disk: bool = False) -> Process | None:
        """End the Cassandra process, but keep the pod.

        A crash restarts the container; lose_disk empties the disk as well.
        """
        with self.transaction():
            process = self.process(uid)
            if process is None:
                return None
            self._end(process, now)
            if lose_disk:
                self._lose(process.disk, now)
                self._record("disk-lost", process, now=now)
            self._record("crashed" if crash else "stopped", process, now=now)
            process = replace(process, state=State.NOT_STARTED, ready_at=0.0, changed_at=now)
            if crash:
                process = replace(process, restarts=process.restarts + 1, crashed_at=now)
            self._put("processes", process)
        return process

    def forget_process(self, uid: str, now: float) -> None:
        """The pod is gone."""
        with self.transaction():
            process = self.process(uid)
            if process is None:
                return
            self._end(process, now)
            self._record("pod-gone", process, now=now)
            self.db.execute("DELETE FROM processes WHERE uid = ?", (uid,))
            self.db.execute("DELETE FROM jobs WHERE uid = ?", (uid,))
            if process.disk == process.uid:
                self._lose(process.disk, now)

    def _end(self, process: Process, now: float) -> None:
        node = self.node_of(process)
        if node is not None and process.state is State.STARTED:
            self._put("nodes", ring.after_stop(node, now))

    def forget_disk(self, disk: str, now: float) -> None:
        """The claim is gone, and the data with it."""
        with self.transaction():
            self._lose(disk, now)

    def _lose(self, disk: str, now: float) -> None:
        """A node without a disk stays in the memory of its ring, unless it had left or nobody remembers."""
        row = self.db.execute("SELECT * FROM nodes WHERE disk = ?", (disk,)).fetchone()
        if row is None or not disk:
            return
        if _node(row).mode_at(now) in (Mode.INTERRUPTED, Mode.LEFT):
            self.db.execute("DELETE FROM nodes WHERE disk = ?", (disk,))
        else:
            self.db.execute("UPDATE nodes SET disk = '' WHERE disk = ?", (disk,))
        left = self.db.execute("SELECT 1 FROM nodes WHERE ring = ? AND disk != ''", (row["ring"],)).fetchone()
        if left is None:
            for table in ("nodes", "keyspaces", "tables", "roles", "rings"):
                self.db.execute(f"DELETE FROM {table} WHERE ring = ?", (row["ring"],))

    # -- decommission, removal

    def decommission(self, uid: str, *, now: float, due: float, fail: bool) -> Refused | None:
        with self.transaction():
            process = self.process(uid)
            node = self.node_of(process) if process is not None else None
            if process is None or node is None or not process.running(now):
                return Refused("Internal connection to Cassandra closed")
            refused = ring.decide_decommission(self.snapshot(now, of_ring=node.ring), node)
            if refused is None:
                end = Mode.NORMAL if fail else Mode.LEFT
                self._put("nodes", replace(node, mode=Mode.LEAVING, until=due, next_mode=end))
                self._record("decommission", process, now=now, host_id=node.host_id)
            return refused

    def assassinate(self, local: Node, address: str, now: float) -> Refused | None:
        with self.transaction():
            snapshot = self.snapshot(now, of_ring=local.ring)
            node = next((n for n in snapshot.nodes if n.ip == address), None)
            if node is None:
                return Refused(
                    f"Could not calculate token for dead endpoint {address} which is not in gossip"
                )
            if snapshot.alive(node, seen_from=local.plane):
                return Refused(
                    f"Endpoint still alive: {address} generation changed while trying to assassinate it"
                )
            self.db.execute("DELETE FROM nodes WHERE host_id = ?", (node.host_id,))
            return None

    def move(self, uid: str, token: int, *, now: float, due: float) -> Refused | None:
        with self.transaction():
            process = self.process(uid)
            node = self.node_of(process) if process is not None else None
            if process is None or node is None:
                return Refused("Internal connection to Cassandra closed")
            refused = ring.decide_move(self.snapshot(now, of_ring=node.ring), node, token)
            if refused is None:
                moving = replace(node, mode=Mode.MOVING, tokens=(token,), until=due, next_mode=Mode.NORMAL)
                self._put("nodes", moving)
                self._record("move", process, now=now, host_id=node.host_id, detail=str(token))
            return refused

    # -- writing

    def set_query_log(self, uid: str, enabled: bool) -> None:
        self.db.execute("UPDATE processes SET query_log = ? WHERE uid = ?", (enabled, uid))

    def record(self, event: str, process: Process, *, now: float, detail: str = "") -> None:
        self._record(event, process, now=now, detail=detail)

    def _record(
        self, event: str, process: Process, *, now: float, host_id: str = "", detail: str = ""
    ) -> None:
        if not host_id:
            node = self.node_of(process)
            host_id = node.host_id if node is not None else ""
        self.db.execute(
            "INSERT INTO history (ms, event, plane, namespace, pod, cluster, datacenter, rack, uid, disk, ip,"
            " host_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                int(now * 1000), event, process.plane, process.namespace, process.pod, process.cluster,
                process.datacenter, process.rack, process.uid, process.disk, process.ip, host_id, detail,
            ),
        )  # fmt: skip

    def _put(self, table: str, row: Process | Node) -> None:
        values = dataclasses.asdict(row)
        if isinstance(row, Node):
            values["tokens"] = json.dumps(row.tokens)
        marks = ", ".join(f":{name}" for name in values)
        self.db.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(values)}) VALUES ({marks})", values)

    def history(
        self, filters: dict[str, str], *, since_ms: int = 0, limit: int = 10_000
    ) -> list[dict[str, Any]]:
        wanted = {k: v for k, v in filters.items() if k in HISTORY_FILTERS}
        where = "".join(f" AND {name} = :{name}" for name in wanted)
        newest = f"SELECT * FROM history WHERE ms >= :since{where} ORDER BY id DESC LIMIT :limit"
        values = {**wanted, "since": since_ms, "limit": limit}
        rows = self.db.execute(f"SELECT * FROM ({newest}) ORDER BY id", values)
        return [dict(row) for row in rows.fetchall()]


HISTORY_FILTERS = (
    "event",
    "plane",
    "namespace",
    "pod",
    "cluster",
    "datacenter",
    "rack",
    "uid",
    "disk",
    "host_id",
)


def _process(row: sqlite3.Row) -> Process:
    values = dict(row)
    values["state"] = State(values["state"])
    values["query_log"] = bool(values["query_log"])
    return Process(**values)


def _node(row: sqlite3.Row) -> Node:
    values = dict(row)
    values["tokens"] = tuple(json.loads(values["tokens"]))
    values["mode"] = Mode(values["mode"])
    values["next_mode"] = Mode(values["next_mode"])
    return Node(**values)
