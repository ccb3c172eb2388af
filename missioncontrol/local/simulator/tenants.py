"""What a ring keeps besides its nodes: keyspaces, tables, roles; and the jobs and faults of single pods.

Split from the store of nodes because nothing here decides whether a node may start.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from missioncontrol.local.simulator.ring import MEMBERS, Node, Process, Refused
from missioncontrol.local.simulator.store import Store

NETWORK_TOPOLOGY = "org.apache.cassandra.locator.NetworkTopologyStrategy"
LOCAL_KEYSPACES = ("system_schema", "system")
ONE_SHOT = frozenset({"crash", "lose-disk"})
LASTING = frozenset({"hang", "refuse-start", "fail-job", "old-api", "unready"})


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the management API; it ends by itself, and is forgotten when its process ends."""

    id: str
    type: str
    submitted: float
    due: float
    error: str

    def status(self, now: float) -> str:
        if now < self.due:
            return "WAITING"
        return "ERROR" if self.error else "COMPLETED"


class Tenants:
    """Keyspaces, roles, jobs and faults, on the same database as the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.db = store.db

    # -- schema

    def schema(self, ring: str) -> str:
        row = self.db.execute("SELECT schema FROM rings WHERE ring = ?", (ring,)).fetchone()
        return "" if row is None else str(row["schema"])

    def _changed(self, ring: str) -> None:
        self.db.execute("UPDATE rings SET schema = ? WHERE ring = ?", (str(uuid.uuid4()), ring))

    def keyspaces(self, ring: str) -> list[str]:
        rows = self.db.execute("SELECT name FROM keyspaces WHERE ring = ? ORDER BY name", (ring,)).fetchall()
        return [*LOCAL_KEYSPACES, *(str(row["name"]) for row in rows)]

    def replication(self, ring: str, name: str) -> dict[str, str] | None:
        row = self.db.execute(
            "SELECT replication FROM keyspaces WHERE ring = ? AND name = ?", (ring, name)
        ).fetchone()
        if row is None:
            return (
                {"class": "org.apache.cassandra.locator.LocalStrategy"} if name in LOCAL_KEYSPACES else None
            )
        found: dict[str, str] = json.loads(row["replication"])
        return found

    def put_keyspace(
        self, node: Node, name: str, factors: Mapping[str, int], *, alter: bool, now: float
    ) -> Refused | None:
        """Create (no-op when it exists) or alter; refused where Cassandra refuses."""
        with self.store.transaction():
            exists = self.replication(node.ring, name) is not None
            if name in LOCAL_KEYSPACES:
                return Refused(f"{name} keyspace is not user-modifiable.")
            if alter and not exists:
                return Refused(f"Keyspace '{name}' doesn't exist")
            if exists and not alter:
                return None
            known = self._datacenters(node.ring, now)
            unknown = sorted(set(factors) - known)
            if unknown:
                return Refused(
                    f"Unrecognized strategy option {{{', '.join(unknown)}}} passed to "
                    f"NetworkTopologyStrategy for keyspace {name}"
                )
            replication = {"class": NETWORK_TOPOLOGY, **{dc: str(rf) for dc, rf in sorted(factors.items())}}
            self.db.execute(
                "INSERT OR REPLACE INTO keyspaces VALUES (?, ?, ?)",
                (node.ring, name, json.dumps(replication)),
            )
            self._changed(node.ring)
        return None

    def _datacenters(self, ring: str, now: float) -> set[str]:
        snapshot = self.store.snapshot(now, of_ring=ring)
        return {n.datacenter for n in snapshot.nodes if n.mode_at(now) in MEMBERS}

    def tables(self, ring: str, keyspace: str) -> list[str]:
        rows = self.db.execute(
            "SELECT name FROM tables WHERE ring = ? AND keyspace = ? ORDER BY name", (ring, keyspace)
        ).fetchall()
        return [str(row["name"]) for row in rows]

    def create_table(self, ring: str, keyspace: str, name: str) -> Refused | None:
        with self.store.transaction():
            if self.replication(ring, keyspace) is None:
                return Refused(f"Keyspace '{keyspace}' doesn't exist")
            if name not in self.tables(ring, keyspace):
                self.db.execute("INSERT INTO tables VALUES (?, ?, ?)", (ring, keyspace, name))
                self._changed(ring)
        return None

    # -- roles

    def roles(self, ring: str) -> list[dict[str, object]]:
        rows = self.db.execute("SELECT * FROM roles WHERE ring = ? ORDER BY name", (ring,)).fetchall()
        return [
            {
                "name": row["name"],
                "super": bool(row["superuser"]),
                "login": bool(row["login"]),
                "datacenters": "ALL",
                "options": "{}",
            }
            for row in rows
        ]

    def put_role(self, ring: str, name: str, *, superuser: bool, login: bool) -> None:
        self.db.execute("INSERT OR REPLACE INTO roles VALUES (?, ?, ?, ?)", (ring, name, superuser, login))

    def drop_role(self, ring: str, name: str) -> Refused | None:
        gone = self.db.execute("DELETE FROM roles WHERE ring = ? AND name = ?", (ring, name)).rowcount
        return None if gone else Refused(f"{name} doesn't exist")

    # -- jobs

    def submit(self, process: Process, kind: str, *, now: float, due: float, error: str = "") -> str:
        job = str(uuid.uuid4())
        self.db.execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (job, process.uid, process.restarts, kind, now, due, error),
        )
        return job

    def job(self, process: Process, job: str) -> Job | None:
        row = self.db.execute(
            "SELECT * FROM jobs WHERE id = ? AND uid = ? AND restarts = ?",
            (job, process.uid, process.restarts),
        ).fetchone()
        if row is None:
            return None
        return Job(
            id=row["id"], type=row["type"], submitted=row["submitted"], due=row["due"], error=row["error"]
        )

    # -- faults

    def faults(self, namespace: str, pod: str) -> frozenset[str]:
        rows = self.db.execute(
            "SELECT fault FROM faults WHERE plane = ? AND namespace = ? AND pod = ?",
            (self.store.plane, namespace, pod),
        ).fetchall()
        return frozenset(str(row["fault"]) for row in rows)

    def all_faults(self) -> list[dict[str, object]]:
        rows = self.db.execute("SELECT * FROM faults WHERE plane = ?", (self.store.plane,)).fetchall()
        return [dict(row) for row in rows]

    def set_fault(self, namespace: str, pod: str, fault: str, now: float) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?, ?)",
            (self.store.plane, namespace, pod, fault, now),
        )

    def clear_faults(self, namespace: str, pod: str) -> None:
        self.db.execute(
            "DELETE FROM faults WHERE plane = ? AND namespace = ? AND pod = ?",
            (self.store.plane, namespace, pod),
        )
