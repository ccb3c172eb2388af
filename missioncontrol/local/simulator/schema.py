"""The tables in which the simulators of all planes keep what a real cluster has on disks and in gossip.

One SQLite file in the shared state folder, in WAL mode: a simulator may be killed at any moment, and several
write at once. Synchronous is off: the file must outlive processes, not the machine.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_TIMEOUT = 5.0

TABLES = """
CREATE TABLE IF NOT EXISTS planes (
    plane TEXT PRIMARY KEY, heartbeat REAL NOT NULL, next_address INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS processes (
    uid TEXT PRIMARY KEY, plane TEXT NOT NULL, namespace TEXT NOT NULL, pod TEXT NOT NULL,
    ip TEXT NOT NULL, host_ip TEXT NOT NULL, disk TEXT NOT NULL,
    cluster TEXT NOT NULL, datacenter TEXT NOT NULL, rack TEXT NOT NULL,
    version TEXT NOT NULL, num_tokens INTEGER NOT NULL,
    state TEXT NOT NULL, created_at REAL NOT NULL, ready_at REAL NOT NULL, changed_at REAL NOT NULL,
    restarts INTEGER NOT NULL, crashed_at REAL NOT NULL, stopping_at REAL NOT NULL, query_log INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS processes_by_ip ON processes (ip);
CREATE INDEX IF NOT EXISTS processes_by_pod ON processes (plane, namespace, pod);
CREATE TABLE IF NOT EXISTS rings (ring TEXT PRIMARY KEY, cluster TEXT NOT NULL, schema TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nodes (
    host_id TEXT PRIMARY KEY, ring TEXT NOT NULL,
    cluster TEXT NOT NULL, datacenter TEXT NOT NULL, rack TEXT NOT NULL,
    plane TEXT NOT NULL, namespace TEXT NOT NULL, pod TEXT NOT NULL,
    uid TEXT NOT NULL, disk TEXT NOT NULL, ip TEXT NOT NULL, tokens TEXT NOT NULL, version TEXT NOT NULL,
    mode TEXT NOT NULL, until REAL NOT NULL, next_mode TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS nodes_by_ring ON nodes (ring);
CREATE INDEX IF NOT EXISTS nodes_by_cluster ON nodes (cluster);
CREATE INDEX IF NOT EXISTS nodes_by_uid ON nodes (uid);
CREATE INDEX IF NOT EXISTS nodes_by_disk ON nodes (disk);
CREATE INDEX IF NOT EXISTS nodes_by_ip ON nodes (ip);
CREATE TABLE IF NOT EXISTS keyspaces (
    ring TEXT NOT NULL, name TEXT NOT NULL, replication TEXT NOT NULL, PRIMARY KEY (ring, name)
);
CREATE TABLE IF NOT EXISTS tables (
    ring TEXT NOT NULL, keyspace TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (ring, keyspace, name)
);
CREATE TABLE IF NOT EXISTS roles (
    ring TEXT NOT NULL, name TEXT NOT NULL, superuser INTEGER NOT NULL, login INTEGER NOT NULL,
    PRIMARY KEY (ring, name)
);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, uid TEXT NOT NULL, restarts INTEGER NOT NULL, type TEXT NOT NULL,
    submitted REAL NOT NULL, due REAL NOT NULL, error TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS faults (
    plane TEXT NOT NULL, namespace TEXT NOT NULL, pod TEXT NOT NULL, fault TEXT NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (plane, namespace, pod, fault)
);
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ms INTEGER NOT NULL, event TEXT NOT NULL,
    plane TEXT NOT NULL, namespace TEXT NOT NULL, pod TEXT NOT NULL,
    cluster TEXT NOT NULL, datacenter TEXT NOT NULL, rack TEXT NOT NULL,
    uid TEXT NOT NULL, disk TEXT NOT NULL, ip TEXT NOT NULL, host_id TEXT NOT NULL, detail TEXT NOT NULL
);
"""

HISTORY_KEPT = 50_000


def connect(path: Path) -> sqlite3.Connection:
    """Open (and make) the database; transactions are always explicit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(TABLES)
    db.execute("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", (HISTORY_KEPT,))
    return db
