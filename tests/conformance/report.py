"""docs/api-conformance.md, made of the table of cases and the listed differences.

`python -m tests.conformance.report` writes it; with --check it only says whether it is as it should be.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.conformance.differences import DIFFERENCES, Difference
from tests.conformance.table import Area, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api-conformance.md"
_INTRODUCTION = """\
# Conformance of the API

<!-- Written by `python -m tests.conformance.report`. -->

A client that works on a custom resource works on `missioncontrol.io`, and cannot tell the two apart. \
`make conformance` shows it: every case of `tests/conformance/` is a sequence of requests that is sent

- to a CustomResourceDefinition of the same shape, made for the test on the same kube-apiserver,
- to our API server through kube-apiserver, as users reach it,
- and to our API server directly, as kube-apiserver reaches it.

Status codes, headers, bodies, causes, warnings, managedFields and the events of watches are compared, with \
only names, UIDs, times and version numbers made equal. What the custom resource answers is what is \
expected: no answer is typed by hand.

The cases of kubectl are command lines. They are run before our API server, and before another \
kube-apiserver on which all kinds of the group are custom resources under the very same names. Exit codes, \
what is printed, what is complained of, and what an editor is given are compared.
"""


def page() -> str:
    """The text of the page."""
    cases = load()
    counts = Counter(each.area for each in cases)
    lines = [_INTRODUCTION, "| area | cases |", "|---|---|"]
    lines += [f"| {area.value} | {counts[area]} |" for area in Area if counts[area]]
    lines += ["", "## Differences that stay", "", "| what | why |", "|---|---|"]
    lines += [f"| {each.what} | {each.reason} |" for each in _told()]
    return "\n".join([*lines, ""])


def _told() -> list[Difference]:
    return [each for each in DIFFERENCES if each.reason != "As above."]


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif not PAGE.is_file() or PAGE.read_text() != text:
        sys.exit(f"{PAGE} differs from what tests/conformance says; run python -m tests.conformance.report")


if __name__ == "__main__":
    main()
