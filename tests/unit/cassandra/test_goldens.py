"""What we render is what the upstream operator was seen to make, in every field that we set."""

from __future__ import annotations

import pytest

from tests.cassandra_goldens import (
    RENDERED,
    comparable,
    differences,
    expected_objects,
    golden_datacenters,
    golden_objects,
)


@pytest.mark.parametrize("case", RENDERED)
def test_rendered_objects_equal_the_recorded_ones(case: str) -> None:
    recorded = golden_objects(case)
    ours = {}
    for datacenter in golden_datacenters(case):
        for body in expected_objects(case, datacenter):
            # the seed service is shared by the datacenters of a cluster: the first one made it
            ours.setdefault((body["kind"], body["metadata"]["name"]), comparable(body))
    assert set(ours) == set(recorded)
    found = [f"{key}{line}" for key in ours for line in differences(ours[key], recorded[key])]
    assert found == []
