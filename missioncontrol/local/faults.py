"""Failures on demand, for simulated nodes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from missioncontrol.local.errors import LocalError
from missioncontrol.local.layout import SIMULATOR
from missioncontrol.local.state import State

FAULTS = ("crash", "hang", "refuse-start", "fail-job", "old-api", "unready", "lose-disk", "clear")


def inject(state: State, *, plane: str, namespace: str, pod: str, fault: str) -> None:
    """Tell the simulator of the plane; LocalError with its words when it refuses."""
    simulator = state.component(f"{plane}/{SIMULATOR}")
    if simulator is None:
        planes = ", ".join(sorted(c.plane for c in state.components if c.name.endswith(f"/{SIMULATOR}")))
        raise LocalError(f"no data plane is called {plane!r}; there are {planes or 'none'}")
    url = f"{simulator.urls['admin']}/faults"
    body = json.dumps({"namespace": namespace, "pod": pod, "fault": fault}).encode()
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    # Never through a proxy: the simulator listens on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", errors="replace").strip()
        raise LocalError(f"the simulator of {plane} refused: {said or error}") from error
    except OSError as error:
        raise LocalError(f"the simulator of {plane} does not answer: {error}; see {simulator.log}") from error
