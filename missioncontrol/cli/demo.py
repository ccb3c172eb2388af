"""`missioncontrol demo`: start the local environment and play the story, command by command."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from missioncontrol.cli.story import Expect, Step, story

PAUSE_BETWEEN_TRIES = 0.5


class StoryFailed(Exception):
    """A step did not hold; the message says which, why, and where to look."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played: an environment's folder and the programs to call."""

    directory: Path
    kubectl: str
    missioncontrol: str

    def argv(self, command: str) -> list[str]:
        """The command as the user would type it, with the programs of this environment."""
        words = shlex.split(command)
        match words[0]:
            case "kubectl":
                return [self.kubectl, *words[1:]]
            case "missioncontrol":
                return [self.missioncontrol, *words[1:], "--dir", str(self.directory)]
            case other:
                raise ValueError(f"the story knows no program {other!r}")

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig")}


def stage(directory: Path) -> Stage:
    """The stage of a running environment; raises StoryFailed when there is none in that folder."""
    try:
        state = json.loads((directory / "state.json").read_bytes())
    except FileNotFoundError as absent:
        raise StoryFailed(f"no environment in {directory}: run `missioncontrol local up`") from absent
    return Stage(directory, state["binaries"]["kubectl"], own_command())


def own_command() -> str:
    """The `missioncontrol` beside the interpreter that runs this, so that no other installation is called."""
    beside = Path(sys.executable).with_name("missioncontrol")
    return str(beside) if beside.exists() else (shutil.which("missioncontrol") or "missioncontrol")


def play(steps: list[Step], on: Stage, say: Callable[[str], None]) -> None:
    """Run the steps in order; raises StoryFailed at the first that does not hold."""
    for number, step in enumerate(steps, start=1):
        say(f"\n# {number}/{len(steps)} {step.title}")
        began = time.monotonic()
        run_step(step, on, say)
        say(f"  ({time.monotonic() - began:.1f} s)")


def run_step(step: Step, on: Stage, say: Callable[[str], None]) -> str:
    """Run one step and return its output; raises StoryFailed when it does not hold by its deadline."""
    say(f"$ {step.command}")
    ends = time.monotonic() + step.deadline
    with beside(step, on, say):
        while True:
            code, output = run(on, step, budget=max(ends - time.monotonic(), 1.0))
            verdict = judge(step, code, output)
            if verdict is None or time.monotonic() >= ends or step.until is None:
                break
            time.sleep(PAUSE_BETWEEN_TRIES)
    if output.strip():
        say(output.rstrip())
    if verdict is not None:
        raise StoryFailed(
            f"{step.title}: {verdict}\n  command: {step.command}\n  logs: {on.directory / 'logs'}"
        )
    return output


def judge(step: Step, code: int, output: str) -> str | None:
    """Why the output of a step does not hold, or None when it does."""
    if step.expect is Expect.SUCCESS and code != 0:
        return f"exit code {code}"
    if step.expect is Expect.REFUSAL and code == 0:
        return "was accepted, and should have been refused"
    for text in (*step.contains, *filter(None, [step.until])):
        if text not in output:
            return f"{text!r} is not in the output"
    return None


def run(on: Stage, step: Step, *, budget: float) -> tuple[int, str]:
    """Exit code and output (both streams, in order) of a step's command within its budget of seconds."""
    try:
        done = subprocess.run(
            on.argv(step.command),
            env=on.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=budget,
        )
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode() if isinstance(late.stdout, bytes) else (late.stdout or "")
        raise StoryFailed(
            f"{step.title}: not done within {step.deadline:.0f} s\n{text}"
            f"  command: {step.command}\n  logs: {on.directory / 'logs'}"
        ) from late
    return done.returncode, done.stdout


@contextmanager
def beside(step: Step, on: Stage, say: Callable[[str], None]) -> Iterator[None]:
    """Show a watch while a step waits; it is no part of the verdict."""
    if step.beside is None:
        yield
        return
    say(f"$ {step.beside}")
    sys.stdout.flush()
    watch = subprocess.Popen(
        on.argv(step.beside), env=on.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        watch.terminate()
        try:
            watch.wait(timeout=5)
        except subprocess.TimeoutExpired:
            watch.kill()
            watch.wait()


def examples_directory() -> Path:
    """The examples, which lie beside the packages in a checkout; shown relative where that is shorter."""
    directory = Path(__file__).resolve().parents[2] / "examples"
    return Path(os.path.relpath(directory)) if directory.is_relative_to(Path.cwd()) else directory


def demo(directory: Path, say: Callable[[str], None] = print) -> None:
    """Bring the environment up and play the story; raises StoryFailed with the reason and the log's place."""
    say(f"$ missioncontrol local up --dir {directory}")
    up = subprocess.run([own_command(), "local", "up", "--dir", str(directory)], stdin=subprocess.DEVNULL)
    if up.returncode != 0:
        raise StoryFailed(f"the environment did not start; logs: {directory / 'logs'}")
    on = stage(directory)
    began = time.monotonic()
    play(story(examples_directory()), on, say)
    say(f"\nThe story took {time.monotonic() - began:.0f} s. The environment is still up:")
    say(f"  export KUBECONFIG={shlex.quote(str(directory / 'kubeconfig'))}")
    say(f"  export PATH={shlex.quote(str(Path(on.kubectl).parent))}:$PATH   # kubectl")
    say("  kubectl api-resources --api-group=missioncontrol.io")
    say("End it with: make demo-down")
