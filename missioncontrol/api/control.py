"""The tasks of a data plane (control.k8ssandra.io): CassandraTask, ScheduledTask and K8ssandraTask."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from missioncontrol.api.model import LIST_ATOMIC, Int32, KubeModel, ObjectReference, TaskCondition, Time

# A policy is any string, as in upstream's definitions: manifests with an empty one exist.
FORBIDDING: Final = (None, "", "Forbid")
"""The concurrency policies that let nothing run beside a task."""


class JobArguments(KubeModel):
    """Arguments of a job. Which of them count depends on the command; names are upstream's snake_case."""

    keyspace_name: str | None = Field(
        None, alias="keyspace_name", description="Keyspace to work on; all if unset."
    )
    source_datacenter: str | None = Field(
        None, alias="source_datacenter", description="rebuild: datacenter to stream from."
    )
    pod_name: str | None = Field(None, alias="pod_name", description="Only the node in this pod.")
    rack: str | None = Field(None, description="Only the nodes of this rack.")
    tables: list[str] = Field(default_factory=list, description="Tables to work on; all if empty.")
    jobs: int | None = Field(None, description="Threads to use on each node.")
    no_validate: bool | None = Field(
        None, alias="no_validate", description="scrub: do not check column values."
    )
    no_snapshot: bool | None = Field(None, alias="no_snapshot", description="scrub: take no snapshot before.")
    skip_corrupted: bool | None = Field(
        None, alias="skip_corrupted", description="scrub: skip corrupted partitions, also of counter tables."
    )
    split_output: bool | None = Field(
        None, alias="split_output", description="compact: write several SSTables instead of one."
    )
    start_token: str | None = Field(
        None, alias="start_token", description="compact: first token of the range."
    )
    end_token: str | None = Field(None, alias="end_token", description="compact: last token of the range.")
    new_tokens: dict[str, str] | None = Field(
        None, alias="new_tokens", description="move: the new token of each node, by the name of its pod."
    )
    fast: bool | None = Field(None, description="restart: restart all pods of a rack at once.")
    force: bool | None = Field(None, description="restart: do so even if other racks are not fully ready.")


class CassandraJob(KubeModel):
    """One job of a task."""

    name: str = Field(description="Name of the job, for people.")
    command: str = Field(
        description="What to do: restart, rebuild, cleanup, upgradesstables, scrub, compact, garbagecollect, "
        "flush, move, replacenode, refresh or tsreload."
    )
    args: JobArguments | None = Field(None, description="Arguments of the command.")


class CassandraTaskTemplate(KubeModel):
    """What a task does, without saying where."""

    scheduled_time: Time | None = Field(None, description="Do not start before this time.")
    jobs: list[CassandraJob] = Field(default_factory=list, description="The job; exactly one is allowed.")
    restart_policy: str | None = Field(
        None, description="OnFailure (the default) tries a failed job again, Never does not."
    )
    ttl_seconds_after_finished: Int32 | None = Field(
        None, description="Seconds until a finished task is deleted; a day if unset, 0 keeps it."
    )
    concurrency_policy: str | None = Field(
        None, description="Whether other tasks may run at the same time: Forbid (the default) or Allow."
    )
    max_concurrent_pods: int | None = Field(
        None, description="Pods of one rack that are worked on at the same time; 1 if unset."
    )
    retries: int | None = Field(None, description="How often a failed job is tried again; once if unset.")


class CassandraTaskSpec(CassandraTaskTemplate):
    """A job for the nodes of one datacenter."""

    datacenter: ObjectReference | None = Field(None, description="The CassandraDatacenter to work on.")


class PodTaskStatus(KubeModel):
    """How far the job is on one pod."""

    status: Literal["WAITING", "RUNNING", "COMPLETED", "ERROR"] = Field(description="State of the job.")
    job_id: str | None = Field(None, description="Id of the job on the node.")
    retries: int | None = Field(None, description="How often it was tried again.")
    error: str | None = Field(None, description="Why it failed.")
    start_time: Time | None = Field(None, description="When it started.")
    completion_time: Time | None = Field(None, description="When it ended.")


class CassandraTaskStatus(KubeModel):
    """How far a task is."""

    start_time: Time | None = Field(None, description="When the task started.")
    completion_time: Time | None = Field(None, description="When the task ended.")
    active: int | None = Field(None, description="1 while the task runs.")
    succeeded: int | None = Field(None, description="Pods on which the job succeeded.")
    failed: int | None = Field(None, description="Pods on which the job failed.")
    conditions: Annotated[list[TaskCondition], LIST_ATOMIC] = Field(
        default_factory=list, description="Running, Complete, Failed and others."
    )
    pod_statuses: dict[str, PodTaskStatus] | None = Field(
        None, description="State of the job on each pod, by the name of the pod."
    )


class ScheduledTaskDetails(CassandraTaskSpec):
    """The task that a schedule makes."""

    name: str | None = Field(None, description="Has no effect: tasks are named after their schedule.")


class ScheduledTaskSpec(KubeModel):
    """A task that is made again and again."""

    schedule: str | None = Field(None, description="When, in cron's five fields and UTC.")
    task_details: ScheduledTaskDetails | None = Field(None, description="The task to make.")


class ScheduledTaskStatus(KubeModel):
    """When a schedule ran and will run."""

    next_schedule: Time | None = Field(None, description="When the next task is made.")
    last_execution: Time | None = Field(None, description="When the last task was made.")


class K8ssandraTaskSpec(KubeModel):
    """A task for several datacenters of one cluster."""

    cluster: ObjectReference | None = Field(None, description="The K8ssandraCluster to work on.")
    datacenters: list[str] = Field(
        default_factory=list,
        description="Datacenters to work on, in this order; all of the cluster if empty.",
    )
    template: CassandraTaskTemplate | None = Field(None, description="What to do in each datacenter.")
    dc_concurrency_policy: str | None = Field(
        None, description="One datacenter after the other (Forbid, the default) or all at once (Allow)."
    )


class K8ssandraTaskStatus(CassandraTaskStatus):
    """How far a task is, over all of its datacenters."""

    datacenters: dict[str, CassandraTaskStatus] | None = Field(
        None, description="State of the task in each datacenter, by the name of the datacenter."
    )
