"""The page about conformance says what the suite says."""

from __future__ import annotations

from tests.conformance.report import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.conformance.report"
