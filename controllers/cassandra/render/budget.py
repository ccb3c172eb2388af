"""The PodDisruptionBudget of a datacenter: how many nodes must stay while others are evicted."""

from __future__ import annotations

import math
import re
from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.hashing import with_hash
from controllers.cassandra.render.metadata import rendered
from missioncontrol.api.resources import POD_DISRUPTION_BUDGETS


def pod_disruption_budget(datacenter: Datacenter) -> dict[str, Any]:
    """One node may be away, or as many of one rack as `spec.maxUnavailable` allows."""
    body = rendered(
        POD_DISRUPTION_BUDGETS, datacenter.pod_disruption_budget, datacenter, datacenter.datacenter_labels
    )
    spec = {
        "minAvailable": datacenter.spec.size - _may_be_away(datacenter),
        "selector": {"matchLabels": datacenter.datacenter_labels},
    }
    return with_hash({**body, "spec": spec})


def _may_be_away(datacenter: Datacenter) -> int:
    limit = datacenter.spec.max_unavailable
    if limit is None:
        return 1
    biggest = max(rack.nodes for rack in datacenter.plan)
    if isinstance(limit, int):
        return min(limit, biggest)
    share = re.fullmatch(r"(-?\d+)%", limit)
    return min(math.ceil(biggest * int(share[1]) / 100), biggest) if share else 1
