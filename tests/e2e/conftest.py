"""One running environment for all end-to-end tests, driven as a user drives it: by the two commands."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from missioncontrol.cli.demo import own_command
from tests.e2e.diagnosis import complaints

UP_DEADLINE = 300.0


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Environment:
    """A running local environment."""

    directory: Path

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.directory / "state.json").read_bytes())
        return state

    def component(self, name: str) -> dict[str, Any]:
        return next(c for c in self.state["components"] if c["name"] == name)

    def missioncontrol(self, *arguments: str, timeout: float = 120) -> Ran:
        return call([own_command(), *arguments, "--dir", str(self.directory)], timeout=timeout)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = 60, check: bool = True
    ) -> Ran:
        ran = call(
            [self.state["binaries"]["kubectl"], *arguments],
            stdin=stdin,
            timeout=timeout,
            env={**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig")},
        )
        if check:
            assert ran.code == 0, f"kubectl {' '.join(arguments)}: {ran.text}"
        return ran

    def get(self, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").out)
        return answer

    def simulator(self, plane: str, path: str) -> Any:
        with urlopen(f"{self.component(f'{plane}/simulator')['urls']['admin']}/{path}", timeout=10) as answer:
            return json.load(answer)


def call(
    argv: list[str], *, stdin: str | None = None, timeout: float, env: dict[str, str] | None = None
) -> Ran:
    done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, timeout=timeout, env=env)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure: what was not well in the environment, for it is gone when somebody reads this."""
    report = yield
    environment = getattr(item, "funcargs", {}).get("environment")
    if report.failed and isinstance(environment, Environment):
        report.sections.append(("environment", "\n".join(complaints(environment))))
    return report


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = Environment(tmp_path_factory.mktemp("local") / "environment")
    up = environment.missioncontrol("local", "up", timeout=UP_DEADLINE)
    try:
        assert up.code == 0, up.text
        yield environment
    finally:
        environment.missioncontrol("local", "down")


@pytest.fixture
def namespace(environment: Environment) -> Iterator[str]:
    """A namespace of the test's own in the control plane; its clusters go first.

    Nobody waits for the namespace: its controller lets five seconds pass before it looks, and more while it
    still finds something.
    """
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    environment.kubectl("create", "namespace", name)
    yield name
    environment.kubectl("delete", "mcc", "--all", "-n", name, "--timeout=120s", timeout=130)
    environment.kubectl("delete", "namespace", name, "--wait=false")
