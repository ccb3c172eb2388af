"""Which processes an environment has, and how each is called: derived from its folder and its ports alone.

Nothing here starts anything or looks at the machine (but for keys, which a control plane makes when they
are first asked for): the same folder and ports always give the same processes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import missioncontrol
from missioncontrol.local import control_plane
from missioncontrol.local.control_plane import ControlPlane, PlanePorts, Programs
from missioncontrol.local.ports import free_port
from missioncontrol.local.probes import Probe
from missioncontrol.local.state import CONTROL_PLANE, KeyPairState, PlaneState

SYSTEM_NAMESPACE = "mission-control"
APISERVER = "apiserver"
WEBHOOKS = "webhooks"
OPA = "opa"
MISSION_CONTROL_OPERATOR = "mission-control-operator"
K8SSANDRA_OPERATOR = "k8ssandra-operator"
CASS_OPERATOR = "cass-operator"
SIMULATOR = "simulator"

OPERATORS = (MISSION_CONTROL_OPERATOR, K8SSANDRA_OPERATOR, CASS_OPERATOR)
# The order in which the processes of one plane are started; they are stopped in the opposite one.
START_ORDER = (
    *control_plane.SERVERS,
    *control_plane.CONTROLLERS,
    OPA,
    SIMULATOR,
    WEBHOOKS,
    APISERVER,
    *OPERATORS,
)
_MARK = "MISSIONCONTROL_LOCAL_DIR"


@dataclass(frozen=True, slots=True)
class Component:
    """One process of the environment: how it is started and how one sees that it is ready."""

    name: str
    plane: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    probe: Probe
    urls: Mapping[str, str]

    @property
    def program(self) -> str:
        """Its name without the plane."""
        return self.name.rpartition("/")[2]

    @property
    def is_operator(self) -> bool:
        return self.program in OPERATORS


def data_plane_names(count: int) -> tuple[str, ...]:
    return tuple(f"data-plane-{number}" for number in range(1, count + 1))


def own_environment(directory: Path) -> dict[str, str]:
    """What marks a process as one of this environment, beside its argv."""
    return {_MARK: str(directory)}


def is_marked(environ: bytes, directory: Path) -> bool:
    """Whether a process with this environment block was started by the environment in this folder."""
    return os.fsencode(f"{_MARK}={directory}") in environ.split(b"\0")


class Layout:
    """The processes of the environment in `directory`.

    `ports` is filled with free ports for what has none yet; keep it, and the addresses stay.
    """

    def __init__(
        self, directory: Path, *, programs: Programs, ports: dict[str, dict[str, int]], data_planes: int
    ) -> None:
        self.directory = directory
        self.programs = programs
        self._ports = ports
        self.plane_names = (CONTROL_PLANE, *data_plane_names(data_planes))
        self.planes = {name: self._plane(name) for name in self.plane_names}
        self.components = {c.name: c for name in self.plane_names for c in self._components(name)}

    # --- what there is -----------------------------------------------------------------------------

    def of_plane(self, plane: str) -> list[Component]:
        return [c for c in self.components.values() if c.plane == plane]

    def credential(self, plane: str, program: str) -> Path:
        """The kubeconfig of one of our programs in its plane."""
        return self._folder(plane) / "credentials" / f"{program}.kubeconfig"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of one of our servers."""
        pki = self.directory / "pki"
        file = name.replace("/", ".")
        return pki / f"{file}.crt", pki / f"{file}.key"

    @property
    def platform_ca(self) -> tuple[Path, Path]:
        return self.directory / "pki" / "ca.crt", self.directory / "pki" / "ca.key"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def aggregated_port(self) -> int:
        return self._port(APISERVER, "secure")

    @property
    def aggregated_server(self) -> str:
        return f"https://127.0.0.1:{self.aggregated_port}"

    def webhooks_port(self, plane: str) -> int:
        return self._port(_full_name(plane, WEBHOOKS), "secure")

    def plane_state(self, name: str) -> PlaneState:
        plane = self.planes[name]
        pairs = (plane.client_ca, plane.front_proxy_ca, plane.front_proxy_client)
        client_ca, front_proxy_ca, front_proxy_client = (KeyPairState(str(p.cert), str(p.key)) for p in pairs)
        return PlaneState(
            server=plane.server,
            certificate_authority=str(plane.ca_file),
            client_ca=client_ca,
            front_proxy_ca=front_proxy_ca,
            front_proxy_client=front_proxy_client,
        )

    # --- how it is made ----------------------------------------------------------------------------

    def _folder(self, plane: str) -> Path:
        return self.directory / "planes" / plane

    def _port(self, component: str, purpose: str) -> int:
        ports = self._ports.setdefault(component, {})
        if purpose not in ports:
            ports[purpose] = free_port()
        return ports[purpose]

    def _plane(self, name: str) -> ControlPlane:
        return ControlPlane(
            self._folder(name),
            programs=self.programs,
            ports=PlanePorts(
                etcd=self._port(f"{name}/etcd", "client"),
                etcd_peer=self._port(f"{name}/etcd", "peer"),
                apiserver=self._port(f"{name}/kube-apiserver", "secure"),
                controller_manager=self._port(f"{name}/kube-controller-manager", "secure"),
                scheduler=self._port(f"{name}/kube-scheduler", "secure"),
            ),
            name=name,
            log_directory=self.directory / "logs",
            log_prefix=f"{name}.",
        )

    def _components(self, plane: str) -> list[Component]:
        ours: dict[str, Callable[[str, str], Component]]
        if plane == CONTROL_PLANE:
            ours = {
                OPA: self._opa,
                WEBHOOKS: self._webhooks,
                APISERVER: self._apiserver,
                MISSION_CONTROL_OPERATOR: self._operator,
            }
        else:
            ours = {
                SIMULATOR: self._simulator,
                WEBHOOKS: self._webhooks,
                K8SSANDRA_OPERATOR: self._operator,
                CASS_OPERATOR: self._operator,
            }
        kubernetes = dict.fromkeys(self.planes[plane].component_names, self._kubernetes)
        makers = {**kubernetes, **ours}
        return [makers[program](plane, program) for program in START_ORDER if program in makers]

    def _kubernetes(self, plane: str, program: str) -> Component:
        server = self.planes[plane].component(program)
        return Component(
            name=f"{plane}/{program}",
            plane=plane,
            argv=server.argv,
            env={**server.env, **own_environment(self.directory)},
            log=server.log,
            probe=server.probe,
            urls=server.urls,
        )

    def _opa(self, plane: str, program: str) -> Component:
        base = f"http://127.0.0.1:{self._port(OPA, 'http')}"
        argv = (
            str(self.programs.opa),
            "run",
            "--server",
            f"--addr={base.removeprefix('http://')}",
            "--skip-version-check",
            "--log-level=error",
            "--ignore=*_test.rego",
            "--bundle",
            str(policy_library()),
        )
        return Component(
            name=OPA,
            plane=plane,
            argv=argv,
            env={"PATH": os.environ.get("PATH", os.defpath), **own_environment(self.directory)},
            log=self._log(OPA),
            probe=Probe(f"{base}/health"),
            urls={"server": base, "metrics": f"{base}/metrics"},
        )

    def _apiserver(self, plane: str, program: str) -> Component:
        flags = [
            *self._serving_flags(plane, program),
            *("--audit-log-path", str(self.directory / "logs" / "audit.log")),
            *("--audit-log-maxsize", "20", "--audit-log-maxbackup", "2"),
        ]
        return self._python(plane, program, "apiserver", flags)

    def _webhooks(self, plane: str, program: str) -> Component:
        flags = self._serving_flags(plane, program)
        if plane == CONTROL_PLANE:
            flags += ["--plane", "control", "--opa-url", f"http://127.0.0.1:{self._port(OPA, 'http')}"]
        else:
            flags += ["--plane", "data"]
        return self._python(plane, program, "webhooks", flags)

    def _operator(self, plane: str, program: str) -> Component:
        module = _OPERATOR_MODULES[program]
        flags = ["--leader-elect"]
        if program in (CASS_OPERATOR, K8SSANDRA_OPERATOR):
            # Simulated pods have addresses that nobody listens on.
            flags.append("--management-api-from-annotation")
        return self._python(plane, program, module, flags)

    def _simulator(self, plane: str, program: str) -> Component:
        port = self._port(_full_name(plane, program), "http")
        number = self.plane_names.index(plane)
        flags = [
            *("--plane", plane),
            # One ring over all planes: what its nodes know of each other lies in one place.
            *("--state-dir", str(self.directory / "simulator")),
            *("--listen", f"127.0.0.1:{port}"),
            *("--advertise", f"http://127.0.0.1:{port}"),
            *("--pod-cidr", f"10.{number}.0.0/16"),
        ]
        module = "missioncontrol.local.simulator"
        return self._python(plane, program, module, flags, urls={"admin": f"http://127.0.0.1:{port}/admin"})

    def _serving_flags(self, plane: str, program: str) -> list[str]:
        cert, key = self.certificate(_full_name(plane, program))
        return [
            *("--bind-address", "127.0.0.1"),
            *("--secure-port", str(self._port(_full_name(plane, program), "secure"))),
            *("--tls-cert-file", str(cert)),
            *("--tls-private-key-file", str(key)),
        ]

    def _python(
        self, plane: str, program: str, module: str, flags: list[str], urls: Mapping[str, str] | None = None
    ) -> Component:
        name = _full_name(plane, program)
        metrics = self._port(name, "metrics")
        base = f"http://127.0.0.1:{metrics}"
        argv = (
            # Not with the working folder in the search path: it is the environment's.
            *(sys.executable, "-P", "-m", module),
            *("--kubeconfig", str(self.credential(plane, program))),
            *("--system-namespace", SYSTEM_NAMESPACE),
            *("--metrics-bind-address", f"127.0.0.1:{metrics}"),
            *flags,
        )
        secure = self._ports[name].get("secure")
        return Component(
            name=name,
            plane=plane,
            argv=argv,
            env={**_python_environment(), **own_environment(self.directory)},
            log=self._log(name),
            probe=Probe(f"{base}/readyz"),
            urls={
                "metrics": f"{base}/metrics",
                "ready": f"{base}/readyz",
                **({"server": f"https://127.0.0.1:{secure}"} if secure else {}),
                **(urls or {}),
            },
        )

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name.replace('/', '.')}.log"


_OPERATOR_MODULES = {
    MISSION_CONTROL_OPERATOR: "controllers.missioncontrol",
    K8SSANDRA_OPERATOR: "controllers.k8ssandra",
    CASS_OPERATOR: "controllers.cassandra",
}


def policy_library() -> Path:
    """The Rego library: inside the package where it is installed, beside the packages in a checkout."""
    package = Path(missioncontrol.__file__).parent
    installed = package / "policy" / "library"
    return installed if installed.is_dir() else package.parent / "policies"


def _full_name(plane: str, program: str) -> str:
    """Our programs in the control plane are called by their own names alone."""
    return program if plane == CONTROL_PLANE else f"{plane}/{program}"


def _python_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "COVERAGE_PROCESS_START")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        # One heap for all threads, and large blocks given back: a quarter of the memory of a small server.
        "MALLOC_ARENA_MAX": "1",
    }
