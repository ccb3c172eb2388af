"""The processes of an environment: started once, found again, ended; never anybody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from missioncontrol.local import processes
from missioncontrol.local.layout import Component, own_environment
from missioncontrol.local.ports import free_port
from missioncontrol.local.probes import NotReadyError, Probe
from missioncontrol.local.progress import Progress
from missioncontrol.local.state import State, StateError, StateFile
from missioncontrol.local.supervisor import Supervisor, find_marked

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class Fixture:
    """A supervisor over a folder; made again, it is what the next command would see."""

    def __init__(self, directory: Path) -> None:
        self.file = StateFile(directory)
        self.state = self.file.load() or State()
        self.supervisor = Supervisor(self.file, self.state, Progress(StringIO()))

    def component(self, name: str, port: int, program: str = SERVER) -> Component:
        directory = self.file.directory
        return Component(
            name=name,
            plane=name.partition("/")[0],
            argv=(sys.executable, "-c", program, str(port)),
            env={"PATH": os.environ["PATH"], **own_environment(directory)},
            log=directory / "logs" / f"{name.replace('/', '.')}.log",
            probe=Probe(f"http://127.0.0.1:{port}/"),
            urls={},
        )


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ("a long name with spaces " * 6)
    folder.mkdir()
    yield folder
    for left in find_marked(folder):
        processes.stop(left, grace=0, kill=True)


def test_a_component_is_started_once(directory: Path) -> None:
    one, port = Fixture(directory), free_port()
    one.supervisor.start(one.component("plane/server", port))
    one.supervisor.wait_ready(one.component("plane/server", port), 10)
    two = Fixture(directory)
    two.supervisor.start(two.component("plane/server", port))
    assert two.state.components[0].pid == one.state.components[0].pid
    assert len(find_marked(directory)) == 1


def test_a_component_whose_call_changed_is_started_anew(directory: Path) -> None:
    one, port = Fixture(directory), free_port()
    one.supervisor.start(one.component("plane/server", port))
    two = Fixture(directory)
    two.supervisor.start(two.component("plane/server", port, program="# changed\n" + SERVER))
    assert two.state.components[0].pid != one.state.components[0].pid
    assert len(find_marked(directory)) == 1


def test_a_killed_component_keeps_its_pid_until_it_is_started(directory: Path) -> None:
    one, port = Fixture(directory), free_port()
    one.supervisor.start(one.component("plane/server", port))
    identity = one.state.components[0].identity
    assert identity is not None
    processes.stop(identity, grace=0, kill=True)
    two = Fixture(directory)
    assert two.state.components[0].pid == identity.pid
    assert not two.supervisor.is_running("plane/server")
    assert two.supervisor.stop(["plane/server"]) == [], "there was nothing to stop"
    assert two.state.components[0].pid is None


def test_a_pid_that_is_now_somebody_elses_is_left_alone(directory: Path) -> None:
    one, port = Fixture(directory), free_port()
    one.supervisor.start(one.component("plane/server", port))
    entry = one.state.components[0]
    assert entry.identity is not None
    processes.stop(entry.identity, grace=0, kill=True)
    somebodys = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        entry.pid = somebodys.pid
        one.file.save(one.state)
        two = Fixture(directory)
        assert not two.supervisor.is_running("plane/server")
        two.supervisor.stop(["plane/server"], kill=True)
        two.supervisor.end_strays()
        assert somebodys.poll() is None
    finally:
        somebodys.communicate(b"\n", timeout=10)


def test_what_a_killed_command_forgot_is_found_and_ended(directory: Path, tmp_path: Path) -> None:
    one, port = Fixture(directory), free_port()
    component = one.component("plane/server", port)
    one.supervisor.start(component)
    forgotten = processes.spawn(component.argv, log=component.log, cwd=directory, env=component.env)
    elsewhere = processes.spawn(
        component.argv, log=component.log, cwd=tmp_path, env=own_environment(tmp_path / "elsewhere")
    )
    try:
        assert Fixture(directory).supervisor.end_strays() == [forgotten.pid]
        assert processes.is_running(elsewhere), "the process of another environment is not touched"
        assert one.supervisor.is_running("plane/server"), "nor is what is remembered"
    finally:
        processes.stop(elsewhere, grace=0, kill=True)


def test_a_component_that_ends_at_once_is_an_error_with_its_words(directory: Path) -> None:
    one = Fixture(directory)
    component = one.component("plane/server", 1, program="raise SystemExit('the port is taken')")
    one.supervisor.start(component)
    with pytest.raises(
        NotReadyError, match=r"(?s)plane/server ended .*plane\.server\.log.*the port is taken"
    ):
        one.supervisor.wait_ready(component, 10)


def test_a_component_that_stays_silent_is_an_error_in_time(directory: Path) -> None:
    one = Fixture(directory)
    component = one.component("plane/server", free_port(), program="import time; time.sleep(60)")
    one.supervisor.start(component)
    with pytest.raises(NotReadyError, match=r"plane/server is not ready after 0 s"):
        one.supervisor.wait_ready(component, 0.2)


def test_kube_apiserver_is_stopped_before_etcd_and_after_all_others(directory: Path) -> None:
    one = Fixture(directory)
    names = ["p/etcd", "p/kube-apiserver", "p/webhooks"]
    for name in names:
        one.supervisor.start(one.component(name, free_port(), program="import time; time.sleep(60)"))
    assert one.supervisor.stop(names) == ["p/webhooks", "p/kube-apiserver", "p/etcd"]


def test_the_state_reads_as_documented(directory: Path) -> None:
    one = Fixture(directory)
    one.file.save(State(data_planes=2, aggregated_server="https://127.0.0.1:1"))
    text = one.file.path.read_text()
    assert '"schemaVersion": 1' in text
    assert '"aggregatedServer": "https://127.0.0.1:1"' in text
    assert one.file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schemaVersion": 2}', '{"components": 1}'])
def test_a_state_that_cannot_be_read_is_an_error_and_not_overwritten(content: str, directory: Path) -> None:
    (directory / "state.json").write_text(content)
    with pytest.raises(StateError, match=r"state\.json"):
        StateFile(directory).load()


def test_a_folder_with_other_things_in_it_is_not_made_an_environment(directory: Path) -> None:
    (directory / "pki").mkdir()
    with (
        pytest.raises(StateError, match="choose another folder"),
        StateFile(directory).lock(Progress(StringIO())),
    ):
        pass
