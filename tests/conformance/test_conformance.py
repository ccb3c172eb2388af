"""Every case of the table on all arms."""

from __future__ import annotations

import pytest

from tests.conformance.differences import DIFFERENCES
from tests.conformance.runner import Outcome
from tests.conformance.table import Case, load

_TABLE = load()
# The first test waits for all cases.
pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in _TABLE])
def test_no_client_can_tell(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.id]
    if outcome.error:
        pytest.fail(outcome.error, pytrace=False)
    if outcome.lines:
        pytest.fail("\n".join(map(str, outcome.lines)), pytrace=False)


def test_every_listed_difference_is_there(outcomes: dict[str, Outcome]) -> None:
    if len(outcomes) < len(_TABLE):
        pytest.skip("only a part of the table was run")
    met = {difference for outcome in outcomes.values() for difference in outcome.explained}
    stale = [each.what for each in DIFFERENCES if each not in met]
    assert not stale, f"no answer shows these any more: {stale}"
