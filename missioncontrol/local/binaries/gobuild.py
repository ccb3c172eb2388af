"""Build a program from Go modules, where its official release cannot be had.

Go's caches lie in ours, so that nothing is written elsewhere and a second build takes seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from importlib.resources import as_file, files
from pathlib import Path

from missioncontrol.local.binaries.catalog import GoBuild
from missioncontrol.local.progress import Task

# Since this version Go fetches the toolchain that a module asks for, if it is itself too old for it.
_OLDEST_GO = (1, 21)


class BuildError(RuntimeError):
    """A program could not be built; the message says why."""


def build(what: GoBuild, folder: Path, *, cache: Path, task: Task) -> Path:
    """Build into `folder`, an empty one; the path of the program."""
    environment = _environment(cache)
    go = _go(environment)
    if what.install is not None:
        output = folder / "bin" / what.name
        argv = [go, "install", "-v", "-trimpath", "-ldflags", what.ldflags, what.install]
        _run(argv, folder, {**environment, "GOBIN": str(output.parent)}, what, task)
        return output
    # A copy: Go may write to go.sum, and the package may be read-only.
    source, output = folder / "source", folder / what.name
    with as_file(files("missioncontrol.local") / "gobuild" / str(what.module)) as module:
        shutil.copytree(module, source)
    argv = [go, "build", "-v", "-trimpath", "-ldflags", what.ldflags, "-o", str(output), "."]
    _run(argv, source, environment, what, task)
    return output


def _go(environment: dict[str, str]) -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError("Go is not installed (https://go.dev/dl, 1.21 or newer)")
    run = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, env=environment
    )
    match = re.match(r"go(\d+)\.(\d+)", run.stdout)
    if match and (int(match[1]), int(match[2])) < _OLDEST_GO:
        raise BuildError(f"{go} is {run.stdout.strip()}; Go 1.21 or newer is needed (https://go.dev/dl)")
    return go


def _environment(cache: Path) -> dict[str, str]:
    go = cache / "go"
    # The user's own settings (proxies, private modules) stay in force; Go's counters go to our cache.
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "go" / "env"
    return {
        **os.environ,
        "GOENV": os.environ.get("GOENV") or str(settings),
        "XDG_CONFIG_HOME": str(go / "config"),
        "GOPATH": str(go / "path"),
        "GOMODCACHE": str(go / "mod"),
        "GOCACHE": str(go / "build"),
        # Folders of the module cache stay writable, so that the cache can be removed like any other.
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
    }


def _run(argv: list[str], cwd: Path, env: dict[str, str], what: GoBuild, task: Task) -> None:
    """Run Go; each line it prints is a module downloaded or a package compiled, or an error at the end."""
    last: deque[str] = deque(maxlen=12)
    downloaded = compiled = 0
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                last.append(line.rstrip())
                downloaded += line.startswith("go: downloading ")
                compiled += re.fullmatch(r"[\w.~/-]+\n", line) is not None
                task.update(f"{downloaded} modules downloaded, {compiled} packages compiled")
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        said = "".join(f"\n    {line}" for line in last)
        raise BuildError(f"building {what.name} {what.version} failed ({process.returncode}):{said}")
