"""The management API of one node: life cycle, probes, gossip, leaving, and the jobs that run on it.

Status codes and texts are those of the management API, looked up in its source; where a real node would
accept the call and die later, the answer is 500 with the reason, so that nobody has to search in logs.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from missioncontrol.local.simulator import gossip
from missioncontrol.local.simulator.answers import (
    CLOSED,
    NOT_RUNNING,
    OK,
    Answer,
    Call,
    Handler,
    NodeCall,
    NodeHandler,
)
from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.ring import MEMBERS, Ignored, Refused, Seeds, Started, State

log = logging.getLogger(__name__)

FEATURES = (
    "async_sstable_tasks",
    "full_query_logging",
    "rebuild",
    "async_upgrade_sstable_task",
    "async_compaction_task",
    "async_scrub_task",
    "async_move_task",
    "async_gc_task",
    "reload_internode_truststore",
    "async_flush_task",
)
JOB_FAILED = "java.lang.RuntimeException: the job was made to fail"


# -- without Cassandra


async def liveness(context: Context, call: Call) -> Answer:
    return OK


async def readiness(context: Context, call: Call) -> Answer:
    return OK if call.process.running(context.clock()) else NOT_RUNNING


async def start(context: Context, call: Call) -> Answer:
    meta = call.pod.metadata
    if "refuse-start" in call.faults:
        sentence = f"Error starting Cassandra: {meta.name} was made to refuse"
        context.store.record("refused", call.process, now=context.clock(), detail=sentence)
        return Answer(500, sentence)
    replace_ip = call.query.get("replace_ip", "")
    outcome = _try_start(context, call, context.seeds.cached(call.pod), replace_ip, final=False)
    if isinstance(outcome, Refused):
        # The label or the slice that makes the difference may be younger than our cache.
        outcome = _try_start(context, call, await context.seeds.fresh(call.pod), replace_ip, final=True)
    match outcome:
        case Started(kind, node):
            log.info(
                "started", extra={"pod": f"{meta.namespace}/{meta.name}", "kind": kind, "host": node.host_id}
            )
            context.wake(meta.namespace, meta.name, context.settings.start_seconds)
            return Answer(201, "OK\n")
        case Ignored(status, sentence):
            return Answer(status, "" if status == 204 else sentence)
        case Refused(sentence):
            log.warning("refused to start", extra={"pod": f"{meta.namespace}/{meta.name}", "why": sentence})
            return Answer(500, sentence)
        case None:
            return Answer(503, f"the pod {meta.name} is gone")


def _try_start(
    context: Context, call: Call, seeds: Seeds, replace_ip: str, *, final: bool
) -> Started | Ignored | Refused | None:
    now = context.clock()
    return context.store.start(
        call.process.uid,
        seeds=seeds,
        replace_ip=replace_ip,
        now=now,
        ready_at=now + context.settings.start_seconds,
        record_refusal=final,
    )


async def pid(context: Context, call: Call) -> Answer:
    return Answer(204) if call.process.state is State.NOT_STARTED else Answer(200, "1")


async def stop(context: Context, call: Call) -> Answer:
    context.store.stop(call.process.uid, context.clock())
    context.wake(call.process.namespace, call.process.pod, 0.0)
    return Answer(200, "OK\n")


# -- with Cassandra


async def cluster_probe(context: Context, call: NodeCall) -> Answer:
    try:
        factor = int(call.query.get("rf_per_dc", "3"))
    except ValueError:
        return Answer(404)
    if factor < 1:
        return Answer(500, "rf_per_dc must be > 0")
    failed = gossip.unavailable_ranges(
        context.store.snapshot(context.clock(), of_ring=call.node.ring),
        call.node,
        consistency_level=call.query.get("consistency_level", "LOCAL_QUORUM"),
        replication_factor=factor,
    )
    return Answer(500, failed) if failed else Answer(200)


async def endpoints(context: Context, call: NodeCall) -> Answer:
    snapshot = context.store.snapshot(context.clock(), of_ring=call.node.ring)
    schema = context.tenants.schema(call.node.ring)
    return Answer(200, {"entity": gossip.endpoints(snapshot, call.node, schema=schema)})


async def features(context: Context, call: NodeCall) -> Answer:
    return Answer(
        200, {"cassandra_version": call.node.version, "mgmt_version": "", "features": list(FEATURES)}
    )


async def release(context: Context, call: NodeCall) -> Answer:
    return Answer(200, call.node.version)


async def local_datacenter(context: Context, call: NodeCall) -> Answer:
    return Answer(200, call.node.datacenter)


async def reload_seeds(context: Context, call: NodeCall) -> Answer:
    seeds = context.seeds.cached(call.pod)
    return Answer(200, [f"/{a}" for a in sorted(seeds.addresses - {call.node.ip})])


async def drain(context: Context, call: NodeCall) -> Answer:
    context.store.drain(call.process.uid, context.clock())
    context.wake(call.process.namespace, call.process.pod, 0.0)
    return OK


async def schema_versions(context: Context, call: NodeCall) -> Answer:
    snapshot = context.store.snapshot(context.clock(), of_ring=call.node.ring)
    return Answer(
        200, gossip.schema_versions(snapshot, call.node, schema=context.tenants.schema(call.node.ring))
    )


async def query_logging(context: Context, call: NodeCall) -> Answer:
    return Answer(200, {"entity": call.process.query_log})


async def set_query_logging(context: Context, call: NodeCall) -> Answer:
    context.store.set_query_log(call.process.uid, call.flag("enabled"))
    return OK


async def truststore(context: Context, call: NodeCall) -> Answer:
    return OK


async def assassinate(context: Context, call: NodeCall) -> Answer:
    address = call.query.get("address", "")
    if not address:
        return Answer(400, "Address must be provided")
    refused = context.store.assassinate(call.node, address, context.clock())
    return OK if refused is None else Answer(500, refused.sentence)


# -- jobs


def _submit(context: Context, call: NodeCall, kind: str, *, seconds: float, error: str = "") -> Answer:
    if not error and "fail-job" in call.faults:
        error = JOB_FAILED
    now = context.clock()
    job = context.tenants.submit(call.process, kind, now=now, due=now + seconds, error=error)
    return Answer(202, job)


def job(kind: str) -> NodeHandler:
    """A job that is started and asked about later."""

    async def handle(context: Context, call: NodeCall) -> Answer:
        return _submit(context, call, kind, seconds=context.settings.job_seconds)

    return handle


def blocking(kind: str) -> NodeHandler:
    """The same work, with the answer when it is done."""

    async def handle(context: Context, call: NodeCall) -> Answer:
        await asyncio.sleep(context.settings.job_seconds)
        process = context.store.process(call.process.uid)
        if (
            process is None
            or process.restarts != call.process.restarts
            or not process.running(context.clock())
        ):
            return NOT_RUNNING
        return Answer(500, f"{kind}: {JOB_FAILED}") if "fail-job" in call.faults else OK

    return handle


async def job_status(context: Context, call: NodeCall) -> Answer:
    found = context.tenants.job(call.process, call.query.get("job_id", ""))
    if found is None:
        return Answer(404, {})
    now = context.clock()
    status = found.status(now)
    shown: dict[str, Any] = {
        "id": found.id,
        "type": found.type,
        "status": status,
        "submit_time": str(int(found.submitted * 1000)),
        "end_time": "0" if status == "WAITING" else str(int(found.due * 1000)),
        "error": found.error if status == "ERROR" else None,
        "status_changes": [],
    }
    return Answer(200, shown)


async def rebuild(context: Context, call: NodeCall) -> Answer:
    source = call.query.get("src_dc", "")
    now = context.clock()
    snapshot = context.store.snapshot(now, of_ring=call.node.ring)
    known = sorted({n.datacenter for n in snapshot.nodes if n.mode_at(now) in MEMBERS})
    error = ""
    if source and source not in known:
        error = (
            f"Provided datacenter '{source}' is not a valid datacenter, "
            f"available datacenters are: {','.join(known)}"
        )
    return _submit(context, call, "rebuild", seconds=context.settings.job_seconds, error=error)


async def move(context: Context, call: NodeCall) -> Answer:
    token = call.query.get("newToken", "").strip()
    if not token:
        return Answer(400, "newToken must be specified")
    now, seconds = context.clock(), context.settings.job_seconds
    try:
        number = int(token)
    except ValueError:
        error = f"Invalid token for Murmur3Partitioner. Got {token} but expected a long value."
        return _submit(context, call, "move", seconds=0.0, error=error)
    if "fail-job" in call.faults:
        return _submit(context, call, "move", seconds=seconds)
    refused = context.store.move(call.process.uid, number, now=now, due=now + seconds)
    if refused is not None:
        return _submit(context, call, "move", seconds=0.0, error=refused.sentence)
    return _submit(context, call, "move", seconds=seconds)


async def decommission(context: Context, call: NodeCall) -> Answer:
    """The newer call: returns at once with a job."""
    seconds = context.settings.decommission_seconds
    refused = _leave(context, call)
    if refused is not None:
        return _submit(context, call, "decommission", seconds=0.0, error=refused.sentence)
    return _submit(context, call, "decommission", seconds=seconds)


async def decommission_blocking(context: Context, call: NodeCall) -> Answer:
    refused = _leave(context, call)
    if refused is not None:
        return Answer(500, refused.sentence)
    await asyncio.sleep(context.settings.decommission_seconds)
    return Answer(500, JOB_FAILED) if "fail-job" in call.faults else OK


def _leave(context: Context, call: NodeCall) -> Refused | None:
    now = context.clock()
    due = now + context.settings.decommission_seconds
    refused = context.store.decommission(call.process.uid, now=now, due=due, fail="fail-job" in call.faults)
    if refused is not None and refused.sentence != CLOSED:
        log.warning("refused to decommission", extra={"pod": call.process.pod, "why": refused.sentence})
    return refused


PROCESS_ROUTES: Final[dict[tuple[str, str], Handler]] = {
    ("GET", "/api/v0/probes/liveness"): liveness,
    ("GET", "/api/v0/probes/readiness"): readiness,
    ("POST", "/api/v0/lifecycle/start"): start,
    ("POST", "/api/v0/lifecycle/stop"): stop,
    ("GET", "/api/v0/lifecycle/pid"): pid,
}
"""Answered by the management API itself."""

NODE_ROUTES: Final[dict[tuple[str, str], NodeHandler]] = {
    ("GET", "/api/v0/probes/cluster"): cluster_probe,
    ("GET", "/api/v0/metadata/endpoints"): endpoints,
    ("GET", "/api/v0/metadata/versions/features"): features,
    ("GET", "/api/v0/metadata/versions/release"): release,
    ("GET", "/api/v0/metadata/localdc"): local_datacenter,
    ("POST", "/api/v0/ops/seeds/reload"): reload_seeds,
    ("POST", "/api/v0/ops/node/drain"): drain,
    ("POST", "/api/v0/ops/node/assassinate"): assassinate,
    ("POST", "/api/v0/ops/node/decommission"): decommission_blocking,
    ("POST", "/api/v1/ops/node/decommission"): decommission,
    ("GET", "/api/v1/ops/node/schema/versions"): schema_versions,
    ("GET", "/api/v0/ops/node/fullquerylogging"): query_logging,
    ("POST", "/api/v0/ops/node/fullquerylogging"): set_query_logging,
    ("POST", "/api/v0/ops/node/encryption/internode/truststore/reload"): truststore,
    ("POST", "/api/v0/ops/node/move"): move,
    ("POST", "/api/v1/ops/node/rebuild"): rebuild,
    ("GET", "/api/v0/ops/executor/job"): job_status,
    ("POST", "/api/v0/ops/keyspace/cleanup"): blocking("CLEANUP"),
    ("POST", "/api/v1/ops/keyspace/cleanup"): job("CLEANUP"),
    ("POST", "/api/v0/ops/tables/sstables/upgrade"): blocking("UPGRADE_SSTABLES"),
    ("POST", "/api/v1/ops/tables/sstables/upgrade"): job("UPGRADE_SSTABLES"),
    ("POST", "/api/v0/ops/tables/scrub"): blocking("SCRUB"),
    ("POST", "/api/v1/ops/tables/scrub"): job("SCRUB"),
    ("POST", "/api/v0/ops/tables/compact"): blocking("COMPACTION"),
    ("POST", "/api/v1/ops/tables/compact"): job("COMPACTION"),
    ("POST", "/api/v0/ops/tables/flush"): blocking("FLUSH"),
    ("POST", "/api/v1/ops/tables/flush"): job("FLUSH"),
    ("POST", "/api/v0/ops/tables/garbagecollect"): blocking("GARBAGE_COLLECT"),
    ("POST", "/api/v1/ops/tables/garbagecollect"): job("GARBAGE_COLLECT"),
}
"""Passed on to Cassandra: without it they fail."""

YOUNG_ROUTES: Final = frozenset(
    key for key in NODE_ROUTES if "/api/v1/" in key[1] or key[1].endswith(("/features", "/node/move"))
)
"""What the first releases of the management API do not have."""
