"""Writes or checks everything that is generated: manifests/generated and docs/reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from missioncontrol.api.emit import manifests, reference

_ROOT = Path(__file__).resolve().parents[3]


def generated() -> dict[Path, str]:
    """All generated files by their path below the repository."""
    found = {Path("manifests/generated") / name: text for name, text in manifests.files().items()}
    return found | {Path("docs/reference") / name: text for name, text in reference.files().items()}


def drift(root: Path, wanted: dict[Path, str]) -> list[str]:
    """What differs between the files of a repository and what would be generated, in sentences."""
    found = [
        f"{path} is {'outdated' if (root / path).exists() else 'missing'}"
        for path, text in sorted(wanted.items())
        if not (root / path).is_file() or (root / path).read_text() != text
    ]
    return found + [f"{path} is not generated any more" for path in _strangers(root, wanted)]


def _strangers(root: Path, wanted: dict[Path, str]) -> list[Path]:
    folders = (root / "manifests/generated", root / "docs/reference")
    present = (file.relative_to(root) for folder in folders for file in folder.rglob("*") if file.is_file())
    return sorted(path for path in present if path not in wanted)


def write(root: Path, wanted: dict[Path, str]) -> None:
    """Brings the files of a repository up to date."""
    for path in _strangers(root, wanted):
        (root / path).unlink()
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if not (root / path).is_file() or (root / path).read_text() != text:
            (root / path).write_text(text)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m missioncontrol.api.emit", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is outdated")
    parser.add_argument("--root", type=Path, default=_ROOT, help="the repository")
    options = parser.parse_args()
    wanted = generated()
    if not options.check:
        write(options.root, wanted)
        return 0
    differences = drift(options.root, wanted)
    for sentence in differences:
        print(sentence, file=sys.stderr)
    if differences:
        print("run `python -m missioncontrol.api.emit` and commit the result", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
