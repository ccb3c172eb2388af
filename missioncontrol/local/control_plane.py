"""A real Kubernetes control plane without nodes: etcd, kube-apiserver and, if wanted, its controllers.

One folder holds everything of it (data, keys, logs), and everything that must be the same after a
restart (ports, certificates) is derived from that folder and the ports given, so that an object of this
class can be made again at any time by another process.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from missioncontrol.local import probes, processes
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.credentials import CertificateFolder, KeyPair, kubeconfig
from missioncontrol.local.ports import free_port
from missioncontrol.pki.files import write_private

SERVERS = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
FRONT_PROXY_NAME = "front-proxy-client"
_ISSUER = "https://kubernetes.default.svc.cluster.local"
# Dual stack, because Services may ask for ipFamilyPolicy RequireDualStack.
_SERVICE_ADDRESSES = "10.96.0.0/16,fd00:96::/112"
_START_TIMEOUT = 60.0
_STEADY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs of a control plane are."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    opa: Path


@dataclass(frozen=True, slots=True)
class PlanePorts:
    """The addresses of a control plane's servers, kept so that a restart finds them again."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int

    @classmethod
    def choose(cls) -> PlanePorts:
        return cls(*(free_port() for _ in range(5)))

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Server:
    """How one process is started and how one sees that it is ready."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str]
    probe: probes.Probe
    urls: Mapping[str, str]


class ControlPlane:
    """etcd and kube-apiserver, and with `controllers` kube-controller-manager and kube-scheduler too.

    `directory` belongs to it alone. Start and stop are blocking; with `die_with_parent` the processes
    end with the calling thread, otherwise they outlive the caller.
    """

    def __init__(
        self,
        directory: Path,
        *,
        programs: Programs,
        ports: PlanePorts | None = None,
        controllers: bool = True,
        name: str = "control-plane",
        log_directory: Path | None = None,
        log_prefix: str = "",
        die_with_parent: bool = False,
        controller_manager_flags: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self.directory = directory
        self.ports = ports or PlanePorts.choose()
        self.server = f"https://127.0.0.1:{self.ports.apiserver}"
        self._programs = programs
        self._controllers = controllers
        self._logs = log_directory or directory / "logs"
        self._log_prefix = log_prefix
        self._die_with_parent = die_with_parent
        self._controller_manager_flags = controller_manager_flags or {}
        self._certificates = CertificateFolder(directory / "pki", now=datetime.datetime.now(datetime.UTC))
        self.processes: dict[str, processes.Identity] = {}

    # --- credentials -------------------------------------------------------------------------------

    @property
    def ca_file(self) -> Path:
        return self.client_ca.cert

    @property
    def client_ca(self) -> KeyPair:
        """Signs kube-apiserver's own certificate and those of its clients."""
        return self._certificates.authority("ca")

    @property
    def front_proxy_ca(self) -> KeyPair:
        return self._certificates.authority("front-proxy-ca")

    @property
    def front_proxy_client(self) -> KeyPair:
        """With this kube-apiserver proves to aggregated servers that it speaks for its users."""
        return self._certificates.leaf(
            FRONT_PROXY_NAME, authority=self.front_proxy_ca, common_name=FRONT_PROXY_NAME
        )

    @property
    def admin(self) -> KeyPair:
        return self.client("admin", user="kubernetes-admin", groups=("system:masters",))

    @property
    def admin_kubeconfig(self) -> Path:
        return self.write_kubeconfig(self.directory / "admin.kubeconfig", self.kubeconfig(client=self.admin))

    def client(self, name: str, *, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A client certificate for any user; made once for each name."""
        return self._certificates.leaf(name, authority=self.client_ca, common_name=user, groups=groups)

    def kubeconfig(self, *, client: KeyPair | None = None, token: str | None = None) -> bytes:
        """A kubeconfig for this plane with everything inline; its context has the plane's name."""
        return kubeconfig(server=self.server, ca=self.ca_file, name=self.name, client=client, token=token)

    @staticmethod
    def write_kubeconfig(path: Path, content: bytes) -> Path:
        """Write the file unless it is so already; the address in it may have changed."""
        if not path.is_file() or path.read_bytes() != content:
            write_private(path, content)
        return path

    def admin_client(self) -> AdminClient:
        return AdminClient(self.server, ca=self.ca_file, client=self.admin)

    def prepare(self) -> None:
        """Make every key and certificate, so that what starts later finds them whole."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        hosts = (
            "127.0.0.1",
            "::1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        )
        self._certificates.leaf(
            "serving", authority=self.client_ca, common_name="kube-apiserver", hosts=hosts
        )
        self._certificates.signing_key("service-account")
        etcd_ca = self._certificates.authority("etcd-ca")
        for name in ("etcd-server", "etcd-client"):
            self._certificates.leaf(name, authority=etcd_ca, common_name=name, hosts=("127.0.0.1",))
        _ = self.front_proxy_client, self.admin_kubeconfig
        if self._controllers:
            for component in CONTROLLERS:
                self._component_kubeconfig(component)

    def _component_kubeconfig(self, component: str) -> Path:
        client = self.client(component, user=f"system:{component}")
        return self.write_kubeconfig(
            self.directory / f"{component}.kubeconfig", self.kubeconfig(client=client)
        )

    # --- processes ---------------------------------------------------------------------------------

    @property
    def component_names(self) -> tuple[str, ...]:
        return (*SERVERS, *(CONTROLLERS if self._controllers else ()))

    def component(self, name: str) -> Server:
        build = {
            "etcd": self._etcd,
            "kube-apiserver": self._apiserver,
            "kube-controller-manager": self._controller_manager,
            "kube-scheduler": self._scheduler,
        }[name]
        return build()

    def start(self, timeout: float = _START_TIMEOUT) -> None:
        """Start everything and return when all of it is ready; a failure ends what was started."""
        self.prepare()
        try:
            for name in SERVERS:
                self.start_component(name)
                self.wait_component(name, timeout)
            for name in self.component_names[len(SERVERS) :]:
                self.start_component(name)
            for name in self.component_names[len(SERVERS) :]:
                self.wait_component(name, timeout)
        except BaseException:
            self.stop(kill=True)
            raise

    def start_component(self, name: str) -> processes.Identity:
        server = self.component(name)
        self.processes[name] = processes.spawn(
            server.argv,
            log=server.log,
            cwd=self.directory,
            env=server.env,
            die_with_parent=self._die_with_parent,
        )
        return self.processes[name]

    def wait_component(self, name: str, timeout: float = _START_TIMEOUT) -> None:
        server = self.component(name)
        probes.wait_ready(
            f"{self.name}/{name}", server.probe, self.processes[name], log=server.log, timeout=timeout
        )

    def stop(self, *, kill: bool = False) -> None:
        """End everything, kube-apiserver before the etcd that it needs to end well."""
        for name in reversed(self.component_names):
            self.stop_component(name, kill=kill)

    def stop_component(self, name: str, *, kill: bool = False) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            processes.stop(process, grace=5.0, kill=kill)

    # --- how each one is called --------------------------------------------------------------------

    def _etcd(self) -> Server:
        url = f"https://127.0.0.1:{self.ports.etcd}"
        peer = f"https://127.0.0.1:{self.ports.etcd_peer}"
        server, client = self._certificates.pair("etcd-server"), self._certificates.pair("etcd-client")
        ca = self._certificates.pair("etcd-ca").cert
        flags = {
            "name": "default",
            "data-dir": self.directory / "etcd",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "cert-file": server.cert,
            "key-file": server.key,
            "trusted-ca-file": ca,
            "client-cert-auth": "true",
            "peer-cert-file": server.cert,
            "peer-key-file": server.key,
            "peer-trusted-ca-file": ca,
            "peer-client-cert-auth": "true",
            "unsafe-no-fsync": "true",
            # A member that is alone has nobody to wait for: elections are over at once.
            "heartbeat-interval": "50",
            "election-timeout": "500",
            "log-level": "warn",
        }
        return self._server(
            "etcd",
            self._programs.etcd,
            flags,
            probe=probes.Probe(f"{url}/health", ca=ca, client_cert=client.cert, client_key=client.key),
            urls={"client": url, "metrics": f"{url}/metrics"},
        )

    def _apiserver(self) -> Server:
        pki = self._certificates
        flags = {
            "bind-address": "127.0.0.1",
            "secure-port": self.ports.apiserver,
            "advertise-address": "127.0.0.1",
            # Nothing reaches the API through the Service `kubernetes`, and loopback cannot be its endpoint.
            "endpoint-reconciler-type": "none",
            "etcd-servers": f"https://127.0.0.1:{self.ports.etcd}",
            "etcd-cafile": pki.pair("etcd-ca").cert,
            "etcd-certfile": pki.pair("etcd-client").cert,
            "etcd-keyfile": pki.pair("etcd-client").key,
            "tls-cert-file": pki.pair("serving").cert,
            "tls-private-key-file": pki.pair("serving").key,
            "client-ca-file": pki.pair("ca").cert,
            "requestheader-client-ca-file": pki.pair("front-proxy-ca").cert,
            "requestheader-allowed-names": FRONT_PROXY_NAME,
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-uid-headers": "X-Remote-Uid",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "proxy-client-cert-file": pki.pair(FRONT_PROXY_NAME).cert,
            "proxy-client-key-file": pki.pair(FRONT_PROXY_NAME).key,
            "service-account-issuer": _ISSUER,
            "service-account-key-file": pki.pair("service-account").key,
            "service-account-signing-key-file": pki.pair("service-account").key,
            # The environment's own components hold tokens for as long as it stands.
            "service-account-extend-token-expiration": "false",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "service-cluster-ip-range": _SERVICE_ADDRESSES,
            "allow-privileged": "true",
            "profiling": "false",
        }
        probe = probes.Probe(f"{self.server}/readyz", ca=self._certificates.pair("ca").cert)
        urls = {"server": self.server, "metrics": f"{self.server}/metrics"}
        return self._server("kube-apiserver", self._programs.kube_apiserver, flags, probe=probe, urls=urls)

    def _controller_manager(self) -> Server:
        pki = self._certificates
        flags = {
            **self._controller_flags("kube-controller-manager", self.ports.controller_manager),
            # Each controller under its own name, as in a real cluster: admission tells them apart.
            "use-service-account-credentials": "true",
            "service-account-private-key-file": pki.pair("service-account").key,
            "root-ca-file": pki.pair("ca").cert,
            "allocate-node-cidrs": "false",
            # It makes this folder, which lies under /usr unless it is told otherwise.
            "flex-volume-plugin-dir": self.directory / "flexvolume",
            # There is no cloud, no certificate request and no node to bootstrap.
            "controllers": ",".join(("*", *(f"-{name}" for name in _NEEDLESS_CONTROLLERS))),
            # Pods of one StatefulSet change together: one write of a slice tells of several.
            "endpointslice-updates-batch-period": "500ms",
            **self._controller_manager_flags,
        }
        return self._server(
            "kube-controller-manager",
            self._programs.kube_controller_manager,
            flags,
            probe=self._controller_probe(self.ports.controller_manager),
            urls={"metrics": f"https://127.0.0.1:{self.ports.controller_manager}/metrics"},
        )

    def _scheduler(self) -> Server:
        server = self._server(
            "kube-scheduler",
            self._programs.kube_scheduler,
            {
                **self._controller_flags("kube-scheduler", self.ports.scheduler),
                # It would write into the pod where it expects it to go while it waits for its volume: nobody
                # here reads it, and a write of a pod is the dearest of all for kube-apiserver.
                "feature-gates": "NominatedNodeNameForExpectation=false",
            },
            probe=self._controller_probe(self.ports.scheduler),
            urls={"metrics": f"https://127.0.0.1:{self.ports.scheduler}/metrics"},
        )
        # It ends itself (1.36: "Scheduler cache is corrupted") when a pod was deleted and made again under
        # the same name, as a StatefulSet does, while its watch was away. Kubelet would start it again.
        restarts = (sys.executable, "-I", "-S", str(Path(__file__).with_name("restarts.py")))
        return replace(server, argv=(*restarts, str(_STEADY_SECONDS), *server.argv))

    def _controller_flags(self, component: str, port: int) -> dict[str, object]:
        config = self._component_kubeconfig(component)
        serving = self._certificates.pair("serving")
        return {
            "kubeconfig": config,
            "authentication-kubeconfig": config,
            "authorization-kubeconfig": config,
            "authentication-skip-lookup": "true",
            "client-ca-file": self._certificates.pair("ca").cert,
            "authorization-always-allow-paths": "/healthz,/readyz,/livez,/metrics",
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "tls-cert-file": serving.cert,
            "tls-private-key-file": serving.key,
            "leader-elect": "false",
            "profiling": "false",
            # Their own limits (20 and 50 requests a second) would be slower than anything under test.
            "kube-api-qps": "200",
            "kube-api-burst": "400",
        }

    def _controller_probe(self, port: int) -> probes.Probe:
        return probes.Probe(f"https://127.0.0.1:{port}/healthz", ca=self._certificates.pair("ca").cert)

    def _server(
        self,
        name: str,
        program: Path,
        flags: Mapping[str, object],
        *,
        probe: probes.Probe,
        urls: Mapping[str, str],
    ) -> Server:
        argv = (str(program), *(f"--{flag}={value}" for flag, value in flags.items()))
        log = self._logs / f"{self._log_prefix}{name}.log"
        return Server(name=name, argv=argv, log=log, env=_go_environment(), probe=probe, urls=urls)


_NEEDLESS_CONTROLLERS = (
    "bootstrap-signer-controller",
    "token-cleaner-controller",
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "node-ipam-controller",
    "node-route-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
    # Endpoints are deprecated, nobody here reads them, and each change of a pod would write them again.
    "endpoints-controller",
)


def _go_environment() -> dict[str, str]:
    """The environment of Kubernetes' own programs: nothing of the caller's but what every program needs.

    And how much memory they may take to save time, if the caller says so: https://go.dev/doc/gc-guide
    """
    memory = {name: os.environ[name] for name in ("GOGC", "GOMEMLIMIT") if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", **memory}
