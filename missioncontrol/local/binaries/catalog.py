"""What each program is: the version we fetch, the oldest we accept and why, and where it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass

KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.6.13"
OPA_VERSION = "1.22.2"

Version = tuple[int, int, int]

_TESTED = "it is the oldest that Mission Control is tested with"


@dataclass(frozen=True, slots=True)
class GoBuild:
    """How a program is built: a module of ours under gobuild/, or a module path to install as it is."""

    name: str
    version: str
    module: str | None = None
    install: str | None = None
    ldflags: str = "-s -w"


@dataclass(frozen=True, slots=True)
class Program:
    """One program. `url` and `checksum_url` are relative to the base URL of its release site."""

    name: str
    version: str
    minimum: Version
    because: str
    version_argv: tuple[str, ...]
    version_pattern: str
    site: str
    url: str
    checksum_url: str
    build: GoBuild
    member: str | None = None
    """The file inside the downloaded tar archive, if it is one."""

    @property
    def minimum_text(self) -> str:
        return ".".join(map(str, self.minimum))


def parse_version(text: str) -> Version | None:
    match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _kubernetes_ldflags() -> str:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    values = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamps = [f"-X {package}.{name}={value}" for package in packages for name, value in values.items()]
    return " ".join(("-s", "-w", *stamps))


_KUBERNETES_BUILD = GoBuild(
    "kubernetes", KUBERNETES_VERSION, module="kubernetes", ldflags=_kubernetes_ldflags()
)


def _kubernetes(name: str, arch: str) -> Program:
    url = f"v{KUBERNETES_VERSION}/bin/linux/{arch}/{name}"
    return Program(
        name=name,
        version=KUBERNETES_VERSION,
        minimum=(1, 36, 0),
        because=_TESTED,
        version_argv=("version", "--client") if name == "kubectl" else ("--version",),
        version_pattern=r"Client Version: (\S+)" if name == "kubectl" else r"Kubernetes (\S+)",
        site="kubernetes",
        url=url,
        checksum_url=f"{url}.sha256",
        build=_KUBERNETES_BUILD,
    )


def _etcd(arch: str) -> Program:
    folder = f"etcd-v{ETCD_VERSION}-linux-{arch}"
    return Program(
        name="etcd",
        version=ETCD_VERSION,
        minimum=(3, 5, 13),
        because="older ones send no progress notifications, without which watch bookmarks and "
        "sendInitialEvents do not work",
        version_argv=("--version",),
        version_pattern=r"etcd Version: (\S+)",
        site="etcd",
        url=f"v{ETCD_VERSION}/{folder}.tar.gz",
        checksum_url=f"v{ETCD_VERSION}/SHA256SUMS",
        build=GoBuild("etcd", ETCD_VERSION, module="etcd"),
        member=f"{folder}/etcd",
    )


def _opa(arch: str) -> Program:
    url = f"v{OPA_VERSION}/opa_linux_{arch}_static"
    return Program(
        name="opa",
        version=OPA_VERSION,
        minimum=(1, 0, 0),
        because="the policies are written in Rego v1",
        version_argv=("version",),
        version_pattern=r"Version: (\S+)",
        site="opa",
        url=url,
        checksum_url=f"{url}.sha256",
        build=GoBuild("opa", OPA_VERSION, install=f"github.com/open-policy-agent/opa@v{OPA_VERSION}"),
    )


RELEASE_SITES = {
    "kubernetes": "https://dl.k8s.io",
    "etcd": "https://github.com/etcd-io/etcd/releases/download",
    "opa": "https://github.com/open-policy-agent/opa/releases/download",
}

KUBERNETES_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def catalog(arch: str) -> tuple[Program, ...]:
    """Every program, for an architecture by its name in Go (amd64, arm64)."""
    return (*(_kubernetes(name, arch) for name in KUBERNETES_PROGRAMS), _etcd(arch), _opa(arch))
