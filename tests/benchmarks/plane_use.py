"""What a whole plane has used: processor time of each process, and what was asked of kube-apiserver."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from missioncontrol.kube.client import Client
from missioncontrol.local.processes import children_of
from tests.benchmarks.usage import Usage

READS = frozenset({"GET", "LIST", "WATCH", "CONNECT"})
LINE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class PlaneUse:
    """Since everything started."""

    seconds: dict[str, float]
    """Processor time by process."""
    writes: Counter[str]
    """Requests that change something, by resource and subresource."""
    reads: Counter[str]

    def since(self, before: PlaneUse) -> PlaneUse:
        seconds = {name: self.seconds[name] - before.seconds[name] for name in self.seconds}
        return PlaneUse(seconds, self.writes - before.writes, self.reads - before.reads)

    def tell(self, each: int, what: str) -> None:
        """Print it, the requests for each of so many things."""
        total = sum(self.seconds.values())
        parts = ", ".join(f"{name} {spent:.1f}" for name, spent in self.seconds.items())
        print(f"processor time of the whole plane: {total:.1f} s ({parts})")
        for name, counted in (("writes", self.writes), ("reads", self.reads)):
            shown = ", ".join(f"{kind} {count / each:.1f}" for kind, count in counted.most_common(14))
            print(f"{name} for each {what}: {sum(counted.values()) / each:.1f} ({shown})")


async def plane_use(client: Client, pids: dict[str, int]) -> PlaneUse:
    """Of these processes, and of the kube-apiserver that the client asks."""
    text = (await client.request("GET", "/metrics")).body.decode()
    writes: Counter[str] = Counter()
    reads: Counter[str] = Counter()
    for line in text.splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        labels = dict(LABEL.findall(found["labels"]))
        name = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
        counted = reads if labels["verb"] in READS else writes
        counted[f"{labels['verb']} {name}"] += int(float(found["value"]))
    seconds = {}
    for name, pid in pids.items():
        # kube-scheduler has a parent, which starts it again if need be; this test is the parent of all others
        own = {pid, *children_of(pid)} - (set(pids.values()) - {pid})
        seconds[name] = sum(Usage(each).cpu for each in own)
    return PlaneUse(seconds, writes, reads)
