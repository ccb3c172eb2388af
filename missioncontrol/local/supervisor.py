"""Start, find and end the processes of an environment, and keep its state file true while doing so."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from missioncontrol.local import probes, processes
from missioncontrol.local.layout import START_ORDER, Component, is_marked
from missioncontrol.local.processes import Identity
from missioncontrol.local.progress import Progress
from missioncontrol.local.state import ComponentState, State, StateFile

READY_TIMEOUT = 60.0
# An operator may finish the step it is in; kube-apiserver would wait for watches of clients that stay.
_GRACE = 10.0
_GRACES = {"kube-apiserver": 3.0}


class Supervisor:
    """The processes of one environment. Its methods may be called from several threads at once."""

    def __init__(self, file: StateFile, state: State, progress: Progress) -> None:
        self._file = file
        self._state = state
        self._progress = progress
        self._spawning = threading.Lock()

    def is_running(self, name: str) -> bool:
        component = self._state.component(name)
        identity = component.identity if component else None
        return identity is not None and processes.is_running(identity)

    def start(self, component: Component) -> None:
        """Start a component unless it runs; its readiness is waited for by `wait_ready`."""
        with self._spawning:
            known = self._state.component(component.name)
            if known is not None and self.is_running(component.name):
                if tuple(known.argv) == component.argv:
                    return
                self._end(known, kill=False)
            # The file says what is about to run before it runs: `down` then knows its argv.
            entry = _entry(component, self._file.directory, None)
            self._file.change(self._state, lambda state: _put(state, entry))
            process = processes.spawn(
                component.argv, log=component.log, cwd=self._file.directory, env=component.env
            )
            entry = _entry(component, self._file.directory, process)
            self._file.change(self._state, lambda state: _put(state, entry))

    def wait_ready(self, component: Component, timeout: float = READY_TIMEOUT) -> None:
        """Return when the component is ready; NotReadyError if it ended or takes too long."""
        known = self._state.component(component.name)
        identity = known.identity if known else None
        if identity is None:
            raise probes.NotReadyError(f"{component.name} was not started")
        with self._progress.task(f"Waiting for {component.name}"):
            probes.wait_ready(component.name, component.probe, identity, log=component.log, timeout=timeout)

    def stop(self, names: Iterable[str], *, kill: bool = False) -> list[str]:
        """End components, those that others need last; the names of those that had been running."""
        wanted = set(names)
        chosen = [c for c in self._state.components if c.name in wanted]
        stopped: list[str] = []
        for stage in _stages(chosen, kill=kill):
            with ThreadPoolExecutor(max_workers=max(1, len(stage))) as pool:
                ended = pool.map(lambda component: self._end(component, kill=kill), stage)
                stopped += [c.name for c, had_run in zip(stage, ended, strict=True) if had_run]
        return stopped

    def _end(self, component: ComponentState, *, kill: bool) -> bool:
        identity = component.identity
        had_run = False
        if identity is not None:
            with self._progress.task(f"Stopping {component.name}"):
                grace = _GRACES.get(component.name.rpartition("/")[2], _GRACE)
                had_run = processes.stop(identity, grace=grace, kill=kill)

        def forget(_: State) -> None:
            component.pid = component.started = None

        self._file.change(self._state, forget)
        return had_run

    def end_strays(self) -> list[int]:
        """End what this environment started but does not remember: its command was killed in between."""
        known = {c.pid for c in self._state.components if self.is_running(c.name)}
        strays = [p for p in find_marked(self._file.directory) if p.pid not in known]
        for stray in strays:
            processes.stop(stray, grace=0, kill=True)
        return [stray.pid for stray in strays]


def find_marked(directory: Path) -> list[Identity]:
    """Every process that the environment in this folder started, and none that it did not.

    A child of such a process is not among them: it ends with its parent.
    """
    found: dict[int, Identity] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            environ = (entry / "environ").read_bytes()
        except OSError:
            continue  # it ended, or is not ours to look at
        identity = processes.identify(int(entry.name))
        if identity is not None and is_marked(environ, directory):
            found[identity.pid] = identity
    return [identity for pid, identity in found.items() if processes.parent_of(pid) not in found]


def wait_all_ready(supervisor: Supervisor, components: Iterable[Component]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    for component in components:
        supervisor.wait_ready(component, max(1.0, deadline - time.monotonic()))


def _stages(components: list[ComponentState], *, kill: bool) -> list[list[ComponentState]]:
    """Groups to be ended one after the other: kube-apiserver needs etcd to end well, all others need it."""
    if kill:
        return [components]
    rank = {"etcd": 2, "kube-apiserver": 1}
    stages: list[list[ComponentState]] = [[], [], []]
    for component in components:
        stages[rank.get(component.name.rpartition("/")[2], 0)].append(component)
    return [stage for stage in stages if stage]


def _entry(component: Component, directory: Path, process: Identity | None) -> ComponentState:
    return ComponentState(
        name=component.name,
        plane=component.plane,
        pid=process.pid if process else None,
        started=process.started if process else None,
        argv=list(component.argv),
        log=str(component.log.relative_to(directory)),
        urls=dict(component.urls),
    )


def _put(state: State, entry: ComponentState) -> None:
    """In the order in which things are started, plane by plane, so that the file reads well."""
    others = [c for c in state.components if c.name != entry.name]
    state.components = sorted([*others, entry], key=_position)


def _position(component: ComponentState) -> tuple[str, int]:
    program = component.name.rpartition("/")[2]
    return (component.plane, START_ORDER.index(program) if program in START_ORDER else len(START_ORDER))
