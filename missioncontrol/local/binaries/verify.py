"""Ask a program for its version: what does not run, or is too old, is not used."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from missioncontrol.local.binaries.catalog import Program, parse_version


class UnusableError(RuntimeError):
    """A program that cannot be used; the message says why."""


def check_version(program: Program, path: Path) -> str:
    """The version of the program at `path`; raises UnusableError if it is none that can be used."""
    try:
        # kubectl would make a folder for its own cache, and OPA look for updates, in the user's home.
        with tempfile.TemporaryDirectory() as home:
            run = subprocess.run(
                [str(path), *program.version_argv],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=30,
                env={"HOME": home, "PATH": ""},
                stdin=subprocess.DEVNULL,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnusableError(f"{path} does not run: {error}") from error
    match = re.search(program.version_pattern, run.stdout + run.stderr)
    version = parse_version(match[1]) if match else None
    if run.returncode != 0 or match is None or version is None:
        said = (run.stderr or run.stdout).strip().splitlines()
        raise UnusableError(f"{path} does not tell its version: {said[0] if said else run.returncode}")
    if version < program.minimum:
        raise UnusableError(
            f"{path} is version {match[1]}; {program.minimum_text} or newer is needed: {program.because}"
        )
    return match[1].removeprefix("v")
