"""What is known of an environment, in DIR/state.json: for its own commands and for other tools.

It is written, whole, before anything is started and after every start, so that a command that was
killed leaves a file from which the next one can go on or clean up.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from missioncontrol.local.errors import LocalError
from missioncontrol.local.processes import Identity
from missioncontrol.local.progress import Progress
from missioncontrol.pki.files import write_private

SCHEMA_VERSION = 1
CONTROL_PLANE = "control-plane"


class StateError(LocalError):
    """There is no environment, or its state cannot be used."""


class ComponentState(msgspec.Struct, rename="camel", kw_only=True):
    """One process. `pid` is null after `local stop`; a killed one keeps its pid until it is started."""

    name: str
    plane: str
    pid: int | None = None
    argv: list[str]
    log: str
    """Relative to the environment's folder."""
    urls: dict[str, str] = {}
    started: int | None = None
    """Start time of the process in clock ticks since boot, which tells it from a later one of its pid."""

    @property
    def identity(self) -> Identity | None:
        if self.pid is None or self.started is None:
            return None
        return Identity(pid=self.pid, started=self.started, argv=tuple(self.argv))


class KeyPairState(msgspec.Struct):
    """Absolute paths of PEM files."""

    cert: str
    key: str


class PlaneState(msgspec.Struct, rename="camel", kw_only=True):
    """One Kubernetes control plane; paths are absolute."""

    server: str
    certificate_authority: str
    client_ca: KeyPairState = msgspec.field(name="clientCA")
    front_proxy_ca: KeyPairState = msgspec.field(name="frontProxyCA")
    front_proxy_client: KeyPairState


class State(msgspec.Struct, rename="camel", kw_only=True):
    """The whole file."""

    schema_version: int = SCHEMA_VERSION
    components: list[ComponentState] = []
    planes: dict[str, PlaneState] = {}
    aggregated_server: str = ""
    binaries: dict[str, str] = {}
    data_planes: int = 0
    operators: bool = True
    ports: dict[str, dict[str, int]] = {}
    """Ports by component and purpose; a component that is started again takes the same."""

    def component(self, name: str) -> ComponentState | None:
        return next((c for c in self.components if c.name == name), None)


class StateFile:
    """DIR/state.json and DIR/environment.lock: changed safely by threads, and under the lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "state.json"
        self._lock = directory / "environment.lock"
        self._mutex = threading.RLock()

    def load(self) -> State | None:
        """The state, or None if there is no environment."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise StateError(f"{self.directory} is not a folder") from error
        try:
            state = msgspec.json.decode(content, type=State)
        except msgspec.MsgspecError as error:
            raise StateError(f"{self.path} cannot be read: {error}") from error
        if state.schema_version != SCHEMA_VERSION:
            raise StateError(
                f"{self.path} has schemaVersion {state.schema_version}, this release reads {SCHEMA_VERSION}: "
                "end that environment with the release that started it"
            )
        return state

    def require(self) -> State:
        state = self.load()
        if state is None:
            raise StateError(
                f"there is no environment in {self.directory}; `missioncontrol local up` makes one"
            )
        return state

    def save(self, state: State) -> None:
        with self._mutex:
            write_private(self.path, msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")

    def change(self, state: State, change: Callable[[State], None]) -> None:
        """Change the state in memory and on disk, one thread after the other."""
        with self._mutex:
            change(state)
            self.save(state)

    def may_use_folder(self) -> bool:
        """Whether the folder is an environment's, or can become one: things in it will be removed."""
        if self._lock.exists() or not self.directory.exists():
            return True
        return self.directory.is_dir() and not any(self.directory.iterdir())

    @contextmanager
    def lock(self, progress: Progress) -> Iterator[None]:
        """Commands that start or stop something do so one after the other."""
        if not self.may_use_folder():
            raise StateError(
                f"{self.directory} has files that are not of a local environment; choose another folder"
            )
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with progress.task(f"Waiting for another command that works on {self.directory}"):
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield
