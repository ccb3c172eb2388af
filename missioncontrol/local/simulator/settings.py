"""How one simulator is set up: its plane, its addresses and its speeds. Values come from the command line."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

ZONES = ("zone-a", "zone-b", "zone-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Speeds are in seconds."""

    plane: str
    state_dir: Path
    advertise: str
    pod_cidr: str
    nodes: int = 12
    start_seconds: float = 1.0
    """From lifecycle/start to readiness."""
    job_seconds: float = 2.0
    decommission_seconds: float = 3.0
    stop_seconds: float = 0.3
    """From the deletion of a pod to its end."""

    @property
    def database(self) -> Path:
        return self.state_dir / "ring.db"

    @property
    def calls_file(self) -> Path:
        return self.state_dir / self.plane / "calls.jsonl"

    def management_url(self, namespace: str, pod: str) -> str:
        return f"{self.advertise.rstrip('/')}/pods/{namespace}/{pod}"


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """One Kubernetes node of a plane."""

    name: str
    zone: str
    address: str


def simulated_nodes(settings: Settings) -> dict[str, SimulatedNode]:
    """The nodes of a plane by name, spread over the zones; addresses from the end of the plane's range."""
    network = ipaddress.IPv4Network(settings.pod_cidr)
    if network.num_addresses < 1024:
        raise ValueError(f"the pod CIDR {settings.pod_cidr} is too small: at least a /22 is needed")
    names = [f"{settings.plane}-node-{number:02d}" for number in range(1, settings.nodes + 1)]
    return {
        name: SimulatedNode(name, ZONES[index % len(ZONES)], str(network[-200 + index]))
        for index, name in enumerate(names)
    }
