"""In which order nodes come: as single decisions, and as invariants over whole histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.missioncontrol.clusters.facts import DatacenterFacts, PlaneFacts
from controllers.missioncontrol.clusters.rollout import plan_rollout
from tests.unit.missioncontrol_operator.conftest import Build

TWO = (("dc1", "p1", 3), ("dc2", "p2", 3))


def test_at_first_only_the_first_datacenter_is_asked_for(build: Build) -> None:
    rollout = plan_rollout(build.snapshot(build.cluster(*TWO), build.plane("p1"), build.plane("p2")))
    assert rollout.sizes == {"dc1": 3}
    assert rollout.waiting == {"dc2": "dc1 has 0 of 3 nodes ready"}


def test_the_second_waits_until_the_first_is_ready(build: Build) -> None:
    halfway = build.plane("p1", ("dc1", 3), facts={"dc1": build.facts("dc1", 3, joined=2)})
    rollout = plan_rollout(build.snapshot(build.cluster(*TWO), halfway, build.plane("p2")))
    assert rollout.sizes == {"dc1": 3}
    assert rollout.waiting == {"dc2": "dc1 has 2 of 3 nodes ready"}
    done = plan_rollout(build.snapshot(build.cluster(*TWO), build.plane("p1", ("dc1", 3)), build.plane("p2")))
    assert done.sizes == {"dc1": 3, "dc2": 3}


def test_nothing_begins_while_the_first_plane_is_away_and_nothing_is_initialised(build: Build) -> None:
    away = build.plane("p1", reachable=False, known=False, away_since="noon")
    rollout = plan_rollout(build.snapshot(build.cluster(*TWO), away, build.plane("p2")))
    assert rollout.sizes == {}
    assert "first datacenter dc1 has to be initialised" in rollout.waiting["dc2"]
    assert "p1 is away since noon" in rollout.waiting["dc2"]


def test_an_unknown_plane_is_as_good_as_away(build: Build) -> None:
    rollout = plan_rollout(build.snapshot(build.cluster(*TWO), build.plane("p2")))
    assert rollout.sizes == {}
    assert "p1 is not registered" in rollout.waiting["dc1"]


def test_an_initialised_cluster_passes_over_a_plane_that_is_away(build: Build) -> None:
    cluster = build.cluster(*TWO, ("dc3", "p3", 3), status=build.initialized())
    away = build.plane("p2", ("dc2", 3), reachable=False, away_since="noon")
    rollout = plan_rollout(build.snapshot(cluster, build.plane("p1", ("dc1", 3)), away, build.plane("p3")))
    assert rollout.sizes == {"dc1": 3, "dc2": 3, "dc3": 3}
    assert rollout.waiting == {"dc2": "the data plane p2 is away since noon"}


def test_growth_goes_one_datacenter_at_a_time(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 6), ("dc2", "p2", 6), status=build.initialized())
    planes = build.plane("p1", ("dc1", 3)), build.plane("p2", ("dc2", 3))
    rollout = plan_rollout(build.snapshot(cluster, *planes))
    assert rollout.sizes == {"dc1": 6, "dc2": 3}
    assert rollout.waiting == {"dc2": "dc1 has 3 of 6 nodes ready"}


def test_no_node_joins_beside_one_that_joins_in_a_later_datacenter(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 6), ("dc2", "p2", 3), status=build.initialized())
    joining = build.plane("p2", ("dc2", 3), facts={"dc2": build.facts("dc2", 3, joined=1)})
    rollout = plan_rollout(build.snapshot(cluster, build.plane("p1", ("dc1", 3)), joining))
    assert rollout.sizes["dc1"] == 3
    assert rollout.waiting["dc1"] == "dc2 has 1 of 3 nodes ready"


def test_a_broken_node_of_a_later_datacenter_holds_nobody_before_it(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 6), ("dc2", "p2", 3), status=build.initialized())
    broken = build.plane("p2", ("dc2", 3), facts={"dc2": build.facts("dc2", 3, ready=2)})
    rollout = plan_rollout(build.snapshot(cluster, build.plane("p1", ("dc1", 3)), broken))
    assert rollout.sizes["dc1"] == 6


def test_an_operation_that_disturbs_nodes_holds_growth(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 6), status=build.initialized())
    snapshot = build.snapshot(
        cluster, build.plane("p1", ("dc1", 3)), disruption="RollingRestart r1 is running"
    )
    rollout = plan_rollout(snapshot)
    assert rollout.sizes == {"dc1": 3}
    assert rollout.waiting == {"dc1": "RollingRestart r1 is running"}


def test_a_new_datacenter_needs_a_seed_of_the_ring(build: Build) -> None:
    nodes = build.facts("dc1", 1, nodes=())
    lost = build.plane("p1", ("dc1", 1), facts={"dc1": nodes}, reachable=False)
    cluster = build.cluster(("dc1", "p1", 1), ("dc2", "p2", 1), status=build.initialized())
    rollout = plan_rollout(build.snapshot(cluster, lost, build.plane("p2")))
    assert rollout.waiting["dc2"] == "no seed of the other datacenters is known yet"
    remembered = build.snapshot(
        cluster,
        build.plane("p1", reachable=False, known=False),
        build.plane("p2"),
        remembered_seeds={"p1": ("10.1.0.1",)},
    )
    assert plan_rollout(remembered).sizes == {"dc2": 1}


def test_a_name_that_is_somebody_elses_counts_as_nothing(build: Build) -> None:
    foreign = build.plane("p1", placed=build.placed({"dc1": 9}, labels={}), trouble="the name is taken")
    rollout = plan_rollout(build.snapshot(build.cluster(*TWO), foreign, build.plane("p2")))
    assert rollout.sizes == {}


# --- changes of what is there -----------------------------------------------------------------------

OLD = {"missioncontrol.io/spec-revision": "an older one"}


def _changing(build: Build, *names: str, **parts: Any) -> list[PlaneFacts]:
    """Planes p1 and p2 with a datacenter each; those that are named hold an older revision."""
    planes = []
    for plane, datacenter in (("p1", "dc1"), ("p2", "dc2")):
        annotations = OLD if plane in names else {}
        placed = build.placed({datacenter: 3}, annotations=annotations, **parts.get(plane, {}))
        planes.append(build.plane(plane, (datacenter, 3), placed=placed))
    return planes


def test_a_change_goes_plane_by_plane(build: Build) -> None:
    cluster = build.cluster(*TWO, status=build.initialized())
    rollout = plan_rollout(build.snapshot(cluster, *_changing(build, "p1", "p2")))
    assert rollout.held == {"p2": "dc1 is about to be changed"}
    assert rollout.waiting == {"dc2": "dc1 is about to be changed"}


@pytest.mark.parametrize(
    ("first", "held"),
    [
        pytest.param(
            {"seen": False},
            "the operators of the data plane p1 carry out a change",
            id="while the first plane's operator has not looked yet",
        ),
        pytest.param({"done": False}, None, id="a broken node that nobody works on holds no other plane"),
    ],
)
def test_the_next_plane_waits_for_the_one_at_work(
    build: Build, first: dict[str, Any], held: str | None
) -> None:
    cluster = build.cluster(*TWO, status=build.initialized())
    rollout = plan_rollout(build.snapshot(cluster, *_changing(build, "p2", p1=first)))
    assert rollout.held == ({"p2": held} if held else {})


def test_a_cure_is_not_held_by_the_illness(build: Build) -> None:
    cluster = build.cluster(*TWO, status=build.initialized())
    ill = build.facts("dc1", 3, ready=1, current=False, initialized=True)
    plane = build.plane(
        "p1", placed=build.placed({"dc1": 3}, annotations=OLD, done=False), facts={"dc1": ill}
    )
    rollout = plan_rollout(build.snapshot(cluster, plane, build.plane("p2", ("dc2", 3))))
    assert rollout.held == {}


def test_two_planes_in_trouble_do_not_hold_each_others_cure(build: Build) -> None:
    cluster = build.cluster(*TWO, status=build.initialized())
    planes = []
    for plane, name in (("p1", "dc1"), ("p2", "dc2")):
        ill = {name: build.facts(name, 3, ready=1, current=False, initialized=True)}
        placed = build.placed({name: 3}, annotations=OLD, done=False)
        planes.append(build.plane(plane, placed=placed, facts=ill))
    rollout = plan_rollout(build.snapshot(cluster, *planes))
    assert list(rollout.released) == ["p1"]
    assert list(rollout.held) == ["p2"]
    assert "dc1" not in rollout.waiting


def test_an_operation_that_disturbs_nodes_holds_changes(build: Build) -> None:
    cluster = build.cluster(*TWO, status=build.initialized())
    rollout = plan_rollout(
        build.snapshot(cluster, *_changing(build, "p1"), disruption="Cleanup c is running")
    )
    assert rollout.held == {"p1": "Cleanup c is running"}


def test_nodes_leave_one_datacenter_at_a_time(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 3), ("dc2", "p2", 3), status=build.initialized())
    planes = build.plane("p1", ("dc1", 6)), build.plane("p2", ("dc2", 6))
    rollout = plan_rollout(build.snapshot(cluster, *planes))
    assert rollout.sizes == {"dc1": 3, "dc2": 6}

    asked = build.placed({"dc1": 3})
    leaving = build.plane("p1", placed=asked, facts={"dc1": build.facts("dc1", 3, joined=5)})
    rollout = plan_rollout(build.snapshot(cluster, leaving, planes[1]))
    assert rollout.sizes == {"dc1": 3, "dc2": 6}
    assert rollout.waiting == {"dc2": "dc1 is giving up 2 nodes"}

    done = build.plane("p1", ("dc1", 3))
    assert plan_rollout(build.snapshot(cluster, done, planes[1])).sizes == {"dc1": 3, "dc2": 3}


def test_a_stopped_datacenter_is_in_nobodys_way(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 3), ("dc2", "p2", 6), status=build.initialized())
    placed = build.placed({"dc1": 3}, stopped=("dc1",))
    stopping = build.plane("p1", placed=placed, facts={"dc1": build.facts("dc1", 3, ready=0, current=False)})
    rollout = plan_rollout(build.snapshot(cluster, stopping, build.plane("p2", ("dc2", 3))))
    assert rollout.waiting == {"dc2": "dc1 is being stopped"}

    none = build.facts("dc1", 3, joined=0, initialized=True, current=True, stopped=True)
    stopped = build.plane("p1", placed=placed, facts={"dc1": none})
    rollout = plan_rollout(build.snapshot(cluster, stopped, build.plane("p2", ("dc2", 3))))
    assert rollout.sizes == {"dc1": 3, "dc2": 6}


class _Game:
    """A cluster whose planes are played: they make what they are asked for, node by node, or are away."""

    def __init__(self, wanted: dict[str, int]) -> None:
        self.build = Build()
        self.wanted = wanted
        self.asked: dict[str, int] = {}
        self.joined: dict[str, int] = dict.fromkeys(wanted, 0)
        self.away: set[str] = set()
        self.initialized = False

    def plane(self, name: str) -> PlaneFacts:
        facts: dict[str, DatacenterFacts] = {}
        placed = None
        if name in self.asked:
            size, joined = self.asked[name], self.joined[name]
            facts[name] = self.build.facts(name, size, joined=joined, initialized=joined > 0)
            placed = self.build.placed({name: size})
        return self.build.plane(f"p-{name}", placed=placed, facts=facts, reachable=name not in self.away)

    def decide(self) -> None:
        cluster = self.build.cluster(
            *((name, f"p-{name}", size) for name, size in self.wanted.items()),
            status=self.build.initialized() if self.initialized else {},
        )
        rollout = plan_rollout(self.build.snapshot(cluster, *(self.plane(name) for name in self.wanted)))
        self.initialized = self.initialized or rollout.initialized
        for name, size in rollout.sizes.items():
            if name not in self.away:
                assert size >= self.asked.get(name, 0), "a size never falls"
                self.asked[name] = size
        joining = [
            name for name, size in self.asked.items() if self.joined[name] < size and name not in self.away
        ]
        assert len(joining) <= 1 or self.came_back, f"two join at once: {joining}"

    came_back = False

    def step(self, move: tuple[str, Any]) -> None:
        kind, value = move
        name = list(self.wanted)[value % len(self.wanted)]
        if kind == "join" and name not in self.away and self.joined[name] < self.asked.get(name, 0):
            self.joined[name] += 1
        elif kind == "grow":
            self.wanted[name] += 1
        elif kind == "away":
            self.away.add(name)
        elif kind == "back" and name in self.away:
            self.away.discard(name)
            # what was joining there when it went dark joins on beside what was let in meanwhile
            self.came_back = True
        self.decide()


MOVES = st.tuples(st.sampled_from(["join", "join", "join", "grow", "away", "back"]), st.integers(0, 5))


@settings(max_examples=200, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), moves=st.lists(MOVES, max_size=40))
def test_whatever_happens_one_joins_at_a_time_and_in_the_end_all_are_there(
    sizes: list[int], moves: list[tuple[str, int]]
) -> None:
    game = _Game({f"dc{index}": size for index, size in enumerate(sizes)})
    game.decide()
    for move in moves:
        game.step(move)
    game.away.clear()
    game.came_back = True
    for _ in range(sum(game.wanted.values()) + 5):
        game.decide()
        for name, size in game.asked.items():
            game.joined[name] = size
    assert game.asked == game.wanted
