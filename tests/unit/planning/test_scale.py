"""Spreading nodes: even, or refused with numbers that do work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.planning.scale import Refusal, Spread, spread

TWO = ({"dc1": 3, "dc2": 3}, {"dc1": 3, "dc2": 3})


@pytest.mark.parametrize(
    ("sizes", "racks", "replicas", "expected"),
    [
        pytest.param(*TWO, 12, {"dc1": 6, "dc2": 6}, id="twelve nodes are six in each of two datacenters"),
        pytest.param(*TWO, 6, {"dc1": 3, "dc2": 3}, id="the present number changes nothing"),
        pytest.param(
            {"dc1": 5, "dc2": 2}, {"dc1": 3, "dc2": 3}, 7, {"dc1": 5, "dc2": 2}, id="not even an uneven one"
        ),
        pytest.param(
            {"dc1": 9, "dc2": 6},
            {"dc1": 3, "dc2": 3},
            18,
            {"dc1": 9, "dc2": 9},
            id="the smaller one catches up",
        ),
        pytest.param(
            {"dc1": 5, "dc2": 4},
            {"dc1": 3, "dc2": 1},
            10,
            {"dc1": 5, "dc2": 5},
            id="a datacenter that keeps its size need not be balanced",
        ),
        pytest.param({"dc1": 3}, {"dc1": 3}, 9, {"dc1": 9}, id="one datacenter alone"),
        pytest.param({"dc1": 9, "dc2": 6}, {"dc1": 3, "dc2": 3}, 6, {"dc1": 3, "dc2": 3}, id="fewer nodes"),
        pytest.param(
            {"dc1": 6, "dc2": 6},
            {"dc1": 3, "dc2": 2},
            24,
            {"dc1": 12, "dc2": 12},
            id="racks of different number",
        ),
    ],
)
def test_what_can_be_spread(
    sizes: dict[str, int], racks: dict[str, int], replicas: int, expected: dict[str, int]
) -> None:
    assert spread(sizes, racks, replicas) == Spread(expected)


@pytest.mark.parametrize(
    ("sizes", "racks", "replicas", "alternatives", "text"),
    [
        pytest.param(*TWO, 10, (6, 12), "cannot be spread evenly", id="ten lies between six and twelve"),
        pytest.param(*TWO, 13, (12, 18), "12 or 18 would work", id="an odd number"),
        pytest.param(*TWO, 3, (6,), "cannot be spread evenly", id="fewer nodes than racks"),
        pytest.param(*TWO, 0, (6,), "cannot have 0 nodes", id="none"),
        pytest.param(*TWO, -1, (6,), "cannot have -1 nodes", id="a negative number"),
        pytest.param(
            {"dc1": 9, "dc2": 3},
            {"dc1": 3, "dc2": 3},
            13,
            (12, 18),
            "12 or 18",
            id="uneven ones become even",
        ),
        pytest.param({"dc1": 3}, {"dc1": 3}, 10**9, (99999,), "more than", id="absurdly many"),
        pytest.param({}, {}, 3, (), "no datacenter", id="nowhere to put them"),
    ],
)
def test_what_cannot(
    sizes: dict[str, int], racks: dict[str, int], replicas: int, alternatives: tuple[int, ...], text: str
) -> None:
    outcome = spread(sizes, racks, replicas)
    assert isinstance(outcome, Refusal)
    assert outcome.alternatives == alternatives
    assert text in outcome.message


_names = st.sampled_from(["dc1", "dc2", "dc3", "dc4"])


@given(
    st.dictionaries(_names, st.tuples(st.integers(1, 20), st.integers(1, 5)), min_size=1),
    st.integers(-3, 120),
)
def test_every_number_that_is_offered_works(datacenters: dict[str, tuple[int, int]], replicas: int) -> None:
    sizes = {name: size for name, (size, _) in datacenters.items()}
    racks = {name: count for name, (_, count) in datacenters.items()}
    outcome = spread(sizes, racks, replicas)
    if isinstance(outcome, Spread):
        assert sum(outcome.sizes.values()) == replicas
        for name, size in outcome.sizes.items():
            assert size == sizes[name] or size % racks[name] == 0
        return
    assert outcome.alternatives
    for offered in outcome.alternatives:
        assert isinstance(spread(sizes, racks, offered), Spread)
    between = range(outcome.alternatives[0] + 1, outcome.alternatives[-1])
    assert all(isinstance(spread(sizes, racks, each), Refusal) for each in between)
