"""The local environment as a whole: up, down, and single planes or processes stopped and started.

What takes time runs beside each other: a thread for each plane, which meet where the control plane must
know of the data planes. Every step may be repeated, so that `up` finishes what a killed `up` began.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

from missioncontrol.local import install
from missioncontrol.local.binaries import resolve_programs
from missioncontrol.local.control_plane import SERVERS, Programs
from missioncontrol.local.credentials import base64_file, certificate_user, dump_kubeconfig
from missioncontrol.local.errors import LocalError
from missioncontrol.local.layout import Component, Layout
from missioncontrol.local.ports import is_free
from missioncontrol.local.progress import Progress
from missioncontrol.local.state import CONTROL_PLANE, State, StateFile
from missioncontrol.local.supervisor import Supervisor, find_marked, wait_all_ready

# What an environment keeps in its folder besides state.json, the lock and the logs.
_OWN_FOLDERS = ("planes", "pki", "simulator")
DEFAULT_DATA_PLANES = 2


class UnknownNameError(LocalError):
    """No component or plane has that name."""


class Environment:
    """The environment in one folder."""

    def __init__(self, directory: Path, progress: Progress) -> None:
        self.directory = directory
        self.file = StateFile(directory)
        self._progress = progress

    # --- up ----------------------------------------------------------------------------------------

    def up(self, *, data_planes: int | None = None, operators: bool | None = None) -> State:
        """Start what does not run, and return when everything is ready. None: as it was, or the default."""
        with self.file.lock(self._progress):
            state = self.file.load()
            fresh = state is None
            state = state or State(data_planes=DEFAULT_DATA_PLANES)
            if data_planes is not None:
                if not fresh and data_planes < state.data_planes:
                    raise LocalError(
                        f"the environment in {self.directory} has {state.data_planes} data planes; to have "
                        f"{data_planes}, end it first with `missioncontrol local down`"
                    )
                state.data_planes = data_planes
            if operators is not None:
                state.operators = operators
            if fresh:
                _remove(self.directory, ("logs", *_OWN_FOLDERS))
            _Up(self.directory, self.file, state, resolve_programs(self._progress), self._progress).run()
            return state

    # --- down --------------------------------------------------------------------------------------

    def down(self) -> list[str]:
        """End everything and remove its data; logs stay. The names of what had been running."""
        if not self.directory.exists() or not self.file.may_use_folder():
            return []
        with self.file.lock(self._progress):
            state = self.file.load() or State()
            supervisor = Supervisor(self.file, state, self._progress)
            running = [c.name for c in state.components]
            stopped = supervisor.stop(running, kill=True) if running else []
            stopped += [f"process {pid}" for pid in supervisor.end_strays()]
            _remove(self.directory, (*_OWN_FOLDERS, "kubeconfig", "state.json"))
            return stopped

    # --- single planes and components --------------------------------------------------------------

    def stop(self, name: str, *, kill: bool = False) -> list[str]:
        with self.file.lock(self._progress):
            state = self.file.require()
            names = [c.name for c in self._named(name, state, self.layout(state))]
            return Supervisor(self.file, state, self._progress).stop(names, kill=kill)

    def start(self, name: str) -> list[str]:
        with self.file.lock(self._progress):
            state = self.file.require()
            layout = self.layout(state)
            chosen = self._named(name, state, layout)
            supervisor = Supervisor(self.file, state, self._progress)
            stopped = [c for c in chosen if not supervisor.is_running(c.name)]
            start_in_order(supervisor, stopped)
            return [c.name for c in stopped]

    def layout(self, state: State) -> Layout:
        programs = Programs(**{k.replace("-", "_"): Path(v) for k, v in state.binaries.items()})
        return Layout(self.directory, programs=programs, ports=state.ports, data_planes=state.data_planes)

    def _named(self, name: str, state: State, layout: Layout) -> list[Component]:
        if name in layout.components:
            return [layout.components[name]]
        if name not in layout.planes:
            raise UnknownNameError(
                f"no component or plane is called {name!r}; there are "
                f"{', '.join([*layout.plane_names, *layout.components])}"
            )
        return [c for c in layout.of_plane(name) if state.operators or not c.is_operator]


class _Up:
    """One run of `up`."""

    def __init__(
        self, directory: Path, file: StateFile, state: State, programs: Programs, progress: Progress
    ) -> None:
        self._state = state
        self._file = file
        self._progress = progress
        self._supervisor = Supervisor(file, state, progress)
        self._supervisor.end_strays()
        if not find_marked(directory):
            _leave_taken_ports(state)
        self._layout = Layout(directory, programs=programs, ports=state.ports, data_planes=state.data_planes)
        state.binaries = {k.replace("_", "-"): str(v) for k, v in asdict(programs).items()}

    def run(self) -> None:
        layout, state = self._layout, self._state
        for plane in layout.planes.values():
            plane.prepare()
        install.platform_certificates(layout)
        state.planes = {name: layout.plane_state(name) for name in layout.plane_names}
        state.aggregated_server = layout.aggregated_server
        self._file.save(state)
        self._write_kubeconfig()
        if not state.operators:
            self._supervisor.stop([c.name for c in layout.components.values() if c.is_operator])
        in_parallel(self._bring_up, layout.plane_names)
        with self._progress.task("Registering the data planes"):
            install.register_data_planes(layout)
        if state.operators:
            wait_all_ready(self._supervisor, [c for c in layout.components.values() if c.is_operator])
            with self._progress.task("Waiting for the data planes to be Ready"):
                install.wait_data_planes_ready(layout)

    def _bring_up(self, plane: str) -> None:
        """Everything of one plane; its operators are started, not waited for."""
        layout, supervisor = self._layout, self._supervisor
        components = [c for c in layout.of_plane(plane) if not c.is_operator]
        kubernetes = [c for c in components if c.program in layout.planes[plane].component_names]
        start_in_order(supervisor, kubernetes, wait_for_all=False)
        with self._progress.task(f"Installing into {plane}"):
            install.accounts_and_rights(layout, plane)
            # Our servers load while kube-apiserver takes in the kinds.
            for component in components:
                if component not in kubernetes:
                    supervisor.start(component)
            install.kinds(layout, plane)
        wait_all_ready(supervisor, components)
        with self._progress.task(f"Registering the servers of {plane}"):
            install.register_servers(layout, plane)
        if self._state.operators:
            for operator in (c for c in layout.of_plane(plane) if c.is_operator):
                supervisor.start(operator)

    def _write_kubeconfig(self) -> None:
        layout = self._layout
        contexts = {
            name: (plane.server, base64_file(plane.ca_file), certificate_user(plane.admin))
            for name, plane in layout.planes.items()
        }
        content = dump_kubeconfig(contexts, current=CONTROL_PLANE)
        layout.planes[CONTROL_PLANE].write_kubeconfig(layout.kubeconfig, content)


def start_in_order(
    supervisor: Supervisor, components: Iterable[Component], *, wait_for_all: bool = True
) -> None:
    """Start the components of a plane: each server of Kubernetes when the one it needs is ready."""
    later: list[Component] = []
    for component in components:
        if component.program in SERVERS:
            supervisor.start(component)
            supervisor.wait_ready(component)
        else:
            later.append(component)
    for component in later:
        supervisor.start(component)
    if wait_for_all:
        wait_all_ready(supervisor, later)


def in_parallel(work: Callable[[str], None], names: Iterable[str]) -> None:
    """One thread for each name; all come to their end, then the first error is raised.

    Only an interruption is passed on at once: whoever presses Ctrl-C does not want to wait.
    """
    chosen = list(names)
    pool = ThreadPoolExecutor(max_workers=max(1, len(chosen)), thread_name_prefix="plane")
    futures = [pool.submit(work, name) for name in chosen]
    wait(futures)
    pool.shutdown()
    for future in futures:
        future.result()


def _leave_taken_ports(state: State) -> None:
    """Forget ports that somebody else took while nothing of this environment ran (after a reboot)."""
    for ports in state.ports.values():
        for purpose in [purpose for purpose, port in ports.items() if not is_free(port)]:
            del ports[purpose]


def _remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        path = directory / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
