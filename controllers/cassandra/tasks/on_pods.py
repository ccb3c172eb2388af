"""Carries out the commands that are jobs on pods."""

from __future__ import annotations

from controllers.cassandra.tasks import jobs
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.calls import Caller
from controllers.cassandra.tasks.commands import PodCommand
from controllers.cassandra.tasks.jobs import Round, Waits
from controllers.cassandra.tasks.scene import Scene
from controllers.runtime import Done, Outcome, RequeueAfter
from missioncontrol.api.control import PodTaskStatus
from missioncontrol.api.names import EventReason, clean_label_value

LONG_PAUSE = 60.0
ROUNDS = 4
"""How often one pass goes on with what has just been answered, before it writes that down."""

States = dict[str, PodTaskStatus]


async def step(scene: Scene, command: PodCommand) -> Outcome:
    """Bring the jobs of a task forward."""
    work = _Work(scene, command)
    await work.go_on()
    return await work.write()


class _Work:
    """One pass over the jobs."""

    def __init__(self, scene: Scene, command: PodCommand) -> None:
        self._scene = scene
        self._command = command
        self._memory = scene.memory
        members = {
            name: clean_label_value(node.rack or "")
            for name, node in (scene.datacenter.status.node_statuses or {}).items()
            if node.host_id
        }
        # a node that is still to join has nothing yet that could be worked on
        self._pods = tuple(pod for pod in scene.pods() if pod.started or pod.name in members)
        self._by_name = {pod.name: pod for pod in self._pods}
        self._missing = [
            name
            for name, rack in sorted(members.items())
            if name not in self._by_name and command.chooses(scene.task.arguments, rack, name)
        ]
        self._states: States = dict(scene.task.status.pod_statuses or {})
        self._before = dict(self._states)
        self._taken: dict[str, int] = {}
        """How many answers of each pod are part of the states."""
        self._waits: dict[str, Waits] = {}
        self._step = Round()
        self._caller = Caller(
            command,
            scene.task.arguments,
            scene.memory,
            api=scene.tools.api,
            datacenter=scene.shared,
            port=scene.datacenter.management_port,
            wake=scene.wake,
        )

    async def go_on(self) -> None:
        """Ask, take in, begin; and again while nodes answer at once."""
        task, now = self._scene.task, self._scene.now
        self._take_in()
        busy = {*self._memory.under_way, *self._waits}
        self._states = jobs.interrupted(self._states, busy, retries=task.retries, now=now)
        self._ask()
        for _ in range(ROUNDS):
            await self._memory.settle()
            self._take_in()
            if not self._begin():
                break

    def _take_in(self) -> None:
        """What was answered becomes part of the states. An answer is kept until it is written down."""
        task, now = self._scene.task, self._scene.now
        for name, answers in self._memory.answers.items():
            for told in answers[self._taken.get(name, 0) :]:
                if not told.counts_for(self._states.get(name)):
                    continue
                after = jobs.after_answer(self._states.get(name), told.answer, retries=task.retries, now=now)
                if after is not None:
                    self._states[name] = after
                if isinstance(told.answer, Waits):
                    self._waits[name] = told.answer
            self._taken[name] = len(answers)

    def _attempt(self, name: str) -> int:
        return jobs.attempt_of(self._states.get(name))

    def _ask(self) -> None:
        """Ask for the jobs that run, if it is time."""
        now, memory = self._scene.now, self._memory
        look = memory.looked_at
        if look is not None and (now - look).total_seconds() < jobs.next_look(self._states, now) - 0.05:
            return
        memory.looked_at = now
        for name, state in self._states.items():
            if not jobs.running(state) or not state.job_id or name in memory.under_way:
                continue
            pod = self._by_name.get(name)
            if pod is None:
                self._caller.silence(name, self._attempt(name), f"the pod {name} is gone", now)
            else:
                self._caller.ask(pod, self._attempt(name), state.job_id)

    def _begin(self) -> bool:
        """Let the next pods begin; False when there are none for now."""
        task, now, memory = self._scene.task, self._scene.now, self._memory
        busy = set(memory.under_way)
        if not task.cancelled:
            busy |= {name for name in memory.resting(now) if not jobs.ended(self._states.get(name))}
        if not self._pods and not self._missing and not task.cancelled:
            self._step = Round(waiting="waiting until the datacenter has a node")
            return False
        self._step = jobs.next_round(task, self._command, self._pods, self._states, busy, self._missing)
        absent = memory.absent(self._step.absent, now)
        for name in self._step.absent:
            if now - absent[name] >= jobs.GIVE_UP_AFTER:
                self._states[name] = self._given_up(name)
                return True
        for pod in self._step.begin:
            self._caller.begin(pod, self._attempt(pod.name))
        return bool(self._step.begin)

    def _given_up(self, name: str) -> PodTaskStatus:
        minutes = int(jobs.GIVE_UP_AFTER.total_seconds() // 60)
        before = self._states.get(name) or PodTaskStatus(status="WAITING")
        sentence = f"the node was not ready for {minutes} minutes"
        return jobs.failed(before, sentence, retries=0, now=self._scene.now)

    async def write(self) -> Outcome:
        """Write down how far it is; then begin what must be written down before it begins."""
        scene, found = self._scene, self._step
        succeeded, failed = jobs.counts(self._states)
        shown = statuses.pod_states(self._states)
        if found.finished:
            stopped = found.waiting if found.stopped else ""
            end = statuses.ended(
                scene.task, now=scene.now, succeeded=succeeded, failed=failed, stopped=stopped
            )
            await scene.end({**shown, **end})
            self._told_of_failures()
            return Done(f"{self._command.name}: {succeeded} pods done, {failed} failed")
        sentence = self._sentence()
        going = statuses.running(
            scene.task, succeeded=succeeded, failed=failed, sentence=sentence, now=scene.now
        )
        await scene.write({**shown, **going})
        self._told_of_failures()
        for name, number in self._taken.items():
            self._memory.written(name, number)
        for name, wait in self._waits.items():
            if name in self._by_name and jobs.running(self._states.get(name)):
                self._caller.run(self._by_name[name], self._attempt(name), wait.path)
        return RequeueAfter(self._pause(), sentence)

    def _sentence(self) -> str:
        """What the task does now, with the nodes that keep it waiting for long."""
        now = self._scene.now
        silent = sorted(
            name
            for name, since in self._memory.silent_since.items()
            if (now - since).total_seconds() >= 10 and not jobs.ended(self._states.get(name))
        )
        if not silent:
            return self._step.waiting
        return f"{self._step.waiting}; {silent[0]} does not answer"

    def _pause(self) -> float:
        """Seconds until something is to be done again by itself."""
        now, pause = self._scene.now, LONG_PAUSE
        asked = any(jobs.running(state) and state.job_id for state in self._states.values())
        if asked:
            pause = jobs.next_look(self._states, now)
        rests = [until for until in self._memory.rests_until.values() if until > now]
        if rests:
            pause = min(pause, (min(rests) - now).total_seconds() + 0.01)
        return pause

    def _told_of_failures(self) -> None:
        for name, state in self._states.items():
            before = self._before.get(name)
            if state.status == "ERROR" and (before is None or before.status != "ERROR"):
                note = f"{self._command.name} failed on {name}: {state.error}"
                self._scene.tell(EventReason.TASK_POD_FAILED, note, warning=True)
