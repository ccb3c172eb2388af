"""kubectl, as one user or another."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Obj = dict[str, Any]


@dataclass
class Kubectl:
    """kubectl as some user; every call in a fresh discovery cache of this user."""

    program: Path
    kubeconfig: Path
    home: Path
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def __call__(
        self, *args: str, stdin: str | Obj | None = None, check: bool = True, env: Obj | None = None
    ) -> subprocess.CompletedProcess[str]:
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        done = subprocess.run(
            self.command(*args),
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment(env),
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stdout}{done.stderr}")
        return done

    def command(self, *args: str) -> list[str]:
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", *self.extra, *args]

    def environment(self, more: Obj | None = None) -> dict[str, str]:
        # what an edit leaves behind when it is refused goes with the test's own files
        places = {"HOME": str(self.home), "TMPDIR": str(self.home)}
        return {"PATH": os.environ["PATH"], **places, **(more or {})}

    def json(self, *args: str, **options: Any) -> Obj:
        document: Obj = json.loads(self(*args, "-o", "json", **options).stdout)
        return document

    def fails(self, *args: str, **options: Any) -> str:
        done = self(*args, check=False, **options)
        assert done.returncode != 0, done.stdout
        return done.stderr
