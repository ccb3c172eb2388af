"""`missioncontrol local`: the contract of its commands, on a small environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from missioncontrol.cli.demo import own_command
from missioncontrol.local import processes
from missioncontrol.local.control_plane import Programs
from missioncontrol.local.paths import cache_home
from missioncontrol.local.supervisor import find_marked

pytestmark = pytest.mark.xdist_group("local-environment")
UP = ("up", "--data-planes", "1", "--no-operators")


def _heed_interrupts() -> None:
    """Shells start what runs in the background with SIGINT ignored, and so would be the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Local:
    """The command, on one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory.parent / "home"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        argv = [own_command(), "local", *arguments, "--dir", str(self.directory)]
        self.home.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "HOME": str(self.home), "XDG_CACHE_HOME": str(cache_home().parent)}
        return subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=_heed_interrupts,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=180)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out if code == 0 else err

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.directory / "state.json").read_bytes())
        return state

    def pids(self) -> dict[str, int]:
        return {c["name"]: c["pid"] for c in self.state["components"] if c["pid"] is not None}

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kubectl = self.state["binaries"]["kubectl"]
        argv = [kubectl, "--kubeconfig", str(self.directory / "kubeconfig"), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def local(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    # A long path with spaces: nothing that is made in it may mind.
    local = Local(tmp_path_factory.mktemp("environment") / ("a long path " * 8).strip() / "local")
    try:
        local(*UP)
        yield local
    finally:
        local("down")
    assert find_marked(local.directory) == []


def test_up_describes_what_runs(local: Local) -> None:
    components = {c["name"]: c for c in local.state["components"]}
    kubernetes = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert components.keys() == {
        *(f"control-plane/{name}" for name in kubernetes),
        *(f"data-plane-1/{name}" for name in kubernetes),
        *("apiserver", "webhooks", "opa", "data-plane-1/webhooks", "data-plane-1/simulator"),
    }
    for component in components.values():
        assert processes.identify(component["pid"]).argv == tuple(component["argv"])  # type: ignore[union-attr]
        assert (local.directory / component["log"]).is_file()
    plane = local.state["planes"]["data-plane-1"]
    for pair in (plane["clientCA"], plane["frontProxyCA"], plane["frontProxyClient"]):
        assert "CERTIFICATE" in Path(pair["cert"]).read_text()
        assert Path(pair["key"]).stat().st_mode & 0o077 == 0
    with urlopen(components["apiserver"]["urls"]["metrics"], timeout=5) as answer:
        assert answer.status == 200


def test_the_kubeconfig_has_a_context_for_each_plane(local: Local) -> None:
    assert local.kubectl("config", "current-context").stdout == "control-plane\n"
    assert local.kubectl("get", "dataplanes").stdout.splitlines()[1].startswith("data-plane-1 ")
    nodes = local.kubectl("--context", "data-plane-1", "get", "nodes", "--no-headers").stdout
    assert len(nodes.splitlines()) >= 12


def test_up_again_changes_nothing(local: Local) -> None:
    before = local.pids()
    state = json.loads(local(*UP, "-o", "json"))
    assert {c["name"]: c["pid"] for c in state["components"]} == before


def test_a_data_plane_stops_and_comes_back_at_its_address_with_its_data(local: Local) -> None:
    before, server = local.pids(), local.state["planes"]["data-plane-1"]["server"]
    assert local.kubectl("--context", "data-plane-1", "create", "namespace", "kept").returncode == 0
    local("stop", "data-plane-1")
    assert all(name.startswith("data-plane-1/") for name in before.keys() - local.pids().keys())
    assert not any(name.startswith("data-plane-1/") for name in local.pids())
    assert local.kubectl("--context", "data-plane-1", "get", "namespaces").returncode != 0
    local("start", "data-plane-1")
    assert local.pids().keys() == before.keys()
    assert local.state["planes"]["data-plane-1"]["server"] == server
    assert "kept" in local.kubectl("--context", "data-plane-1", "get", "namespaces").stdout


def test_one_component_is_killed_and_started(local: Local) -> None:
    before = local.pids()
    local("stop", "webhooks", "--kill")
    assert before.keys() - local.pids().keys() == {"webhooks"}
    local("start", "webhooks")
    assert local.pids()["webhooks"] != before["webhooks"]
    assert "is running already" in local("start", "webhooks")


def test_a_component_that_died_is_shown_and_started_by_up(local: Local) -> None:
    os.kill(local.pids()["data-plane-1/simulator"], signal.SIGKILL)

    def phase() -> str:
        status = json.loads(local("status", "-o", "json"))
        return next(str(c["phase"]) for c in status["components"] if c["name"] == "data-plane-1/simulator")

    deadline = time.monotonic() + 10
    while phase() != "Dead":
        assert time.monotonic() < deadline
    local(*UP)
    assert phase() == "Ready"


def test_status_measures_memory(local: Local) -> None:
    status = json.loads(local("status", "-o", "json"))
    assert status["memoryBytes"] == sum(c["memoryBytes"] for c in status["components"])
    assert 200 << 20 < status["memoryBytes"] < 3 << 30
    assert "kube-apiserver" in local("status")


def test_logs(local: Local) -> None:
    assert "Version: v1." in local("logs", "control-plane/kube-apiserver")
    follow = local.start("logs", "data-plane-1/simulator", "-f")
    assert follow.stdout is not None
    assert follow.stdout.readline()
    follow.send_signal(signal.SIGINT)
    follow.communicate(timeout=10)
    assert follow.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("stop", "nothing"), id="a name that is not there"),
        pytest.param(("logs", "nothing"), id="a log that is not there"),
        pytest.param(("fault", "data-plane-1/default", "crash"), id="a pod without a namespace"),
        pytest.param(("fault", "data-plane-1/default/pod", "burn"), id="a fault that is not there"),
        pytest.param(("up", "--data-planes", "-1"), id="a number of planes that is none"),
    ],
)
def test_usage_errors_exit_with_2(local: Local, arguments: tuple[str, ...]) -> None:
    assert "Error:" in local(*arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("fault", "data-plane-9/default/pod", "crash"), "no data plane", id="an unknown plane"),
        pytest.param(("fault", "data-plane-1/default/none", "crash"), "refused", id="an unknown pod"),
        pytest.param(("up", "--data-planes", "0"), "has 1 data planes", id="fewer planes than there are"),
    ],
)
def test_failures_exit_with_1_and_the_reason(local: Local, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in local(*arguments, code=1)


def test_without_an_environment(tmp_path: Path) -> None:
    local = Local(tmp_path / "none")
    assert "there is no environment" in local("status", code=1)
    assert "Nothing was running" in local("down")
    assert not local.directory.exists()


@pytest.fixture
def fresh(binaries: Programs, tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "local")
    yield local
    local("down")
    assert find_marked(local.directory) == []
    assert not (local.directory / "state.json").exists()


def begun(local: Local) -> subprocess.Popen[str]:
    """An `up` that has started some processes and is not done."""
    up = local.start(*UP)
    deadline = time.monotonic() + 60
    while len(find_marked(local.directory)) < 4:
        assert time.monotonic() < deadline
        assert up.poll() is None
        time.sleep(0.05)
    return up


def test_a_killed_up_is_cleaned_by_down(fresh: Local) -> None:
    up = begun(fresh)
    up.kill()
    up.communicate()
    assert find_marked(fresh.directory), "what was started runs on"


def test_an_interrupted_up_ends_at_once_and_says_what_to_do(fresh: Local) -> None:
    up = begun(fresh)
    began = time.monotonic()
    up.send_signal(signal.SIGINT)
    _, err = up.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert up.returncode == 1
    assert "`missioncontrol local down` ends what was started" in err


def waits_for_a_lock(pid: int) -> bool:
    """Whether the kernel holds the process back at a file that another one has locked."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any(fields[1] == "->" and fields[5] == str(pid) for fields in map(str.split, lines))


def test_a_killed_up_is_finished_by_the_next_which_had_waited(fresh: Local) -> None:
    first = begun(fresh)
    second = fresh.start(*UP)
    deadline = time.monotonic() + 60
    while not waits_for_a_lock(second.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=180)
    assert second.returncode == 0, out + err
    running = [" ".join(process.argv) for process in find_marked(fresh.directory)]
    assert len(running) == len(set(running)) == len(fresh.pids())


def test_after_a_crash_of_everything_a_port_is_somebody_elses(local: Local) -> None:
    for process in find_marked(local.directory):
        processes.stop(process, grace=0, kill=True)
    server = local.state["planes"]["data-plane-1"]["server"]
    with socket.socket() as somebodys:
        somebodys.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebodys.bind(("127.0.0.1", int(server.rpartition(":")[2])))
        somebodys.listen()
        local(*UP)
    assert local.state["planes"]["data-plane-1"]["server"] != server
    assert "kept" in local.kubectl("--context", "data-plane-1", "get", "namespaces").stdout


def test_nothing_is_written_into_the_home_folder(local: Local) -> None:
    assert list(local.home.iterdir()) == []
