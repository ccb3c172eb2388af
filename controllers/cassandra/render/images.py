"""Which images run, as upstream's ImageConfig says; without one, the choices that upstream ships.

A spec that names an image wins over this table; the table only completes type and version. How the table is
read from its two file formats stands in `image_config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controllers.cassandra.datacenter import Datacenter

PULL_POLICY: Final = "IfNotPresent"
CONFIG_BUILDER: Final = "config-builder"
K8SSANDRA_CLIENT: Final = "k8ssandra-client"
SYSTEM_LOGGER: Final = "system-logger"
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


class UnknownServerType(ValueError):
    """No image is known for a server type, and the spec names none."""


@dataclass(frozen=True, slots=True)
class ServerImage:
    """The images of a server type: one name, a tag made from the version, and the exceptions."""

    name: str
    """With registry and repository, without tag."""
    prefix: str = ""
    suffix: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Full references for versions that have an image of their own."""

    def reference(self, version: str) -> str:
        if version in self.versions:
            return self.versions[version]
        return tagged(self.name, f"{self.prefix}{version}{self.suffix}")


def tagged(name: str, tag: str) -> str:
    """The full reference; a tag that is a digest is joined by ``@``."""
    return f"{name}{'@' if _DIGEST.fullmatch(tag) else ':'}{tag}"


def _images() -> dict[str, str]:
    return {
        SYSTEM_LOGGER: "ghcr.io/k8ssandra/system-logger:latest",
        CONFIG_BUILDER: "docker.io/datastax/cass-config-builder:1.0-ubi",
        K8SSANDRA_CLIENT: "docker.io/k8ssandra/k8ssandra-client:v0.8.12",
    }


HCD: Final = ServerImage("docker.io/datastax/hcd", suffix="-ubi")
"""Upstream ships this line commented out, and then cannot make an HCD datacenter without serverImage."""


def _server_types() -> dict[str, ServerImage]:
    return {
        "cassandra": ServerImage("ghcr.io/k8ssandra/cass-management-api", suffix="-ubi"),
        "dse": ServerImage("docker.io/datastax/dse-mgmtapi-6_8", suffix="-ubi"),
        "hcd": HCD,
    }


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The table of images."""

    images: Mapping[str, str] = field(default_factory=_images)
    """Full references of the components that do not follow the server's version."""
    types: Mapping[str, ServerImage] = field(default_factory=_server_types)
    pull_policies: Mapping[str, str] = field(default_factory=dict)
    """By component or server type, where it differs from the default."""
    default_pull_policy: str = PULL_POLICY
    common_pull_secrets: tuple[str, ...] = ()
    """Secrets of every pod."""
    own_pull_secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets of single components and server types."""

    def server(self, datacenter: Datacenter) -> str:
        """The image of the database."""
        spec = datacenter.spec
        if spec.server_image:
            return spec.server_image
        image = self.types.get(spec.server_type)
        if image is None:
            raise UnknownServerType(
                f"spec.serverType: the image configuration knows no image for {spec.server_type!r}; "
                "add it there, or set spec.serverImage"
            )
        return image.reference(spec.server_version)

    def image(self, component: str) -> str:
        """The image of a component that the operator adds."""
        return self.images.get(component) or _images()[component]

    def pull_policy(self, component: str) -> str:
        return self.pull_policies.get(component) or self.default_pull_policy

    def pull_secrets(self, datacenter: Datacenter) -> list[dict[str, str]]:
        """Secrets with which the images of a pod are pulled."""
        builder = K8SSANDRA_CLIENT if datacenter.uses_client_builder else CONFIG_BUILDER
        used = [datacenter.spec.server_type, builder]
        if not datacenter.spec.disable_system_logger_sidecar:
            used.append(SYSTEM_LOGGER)
        own = [self.own_pull_secrets[component] for component in used if component in self.own_pull_secrets]
        return [{"name": name} for name in dict.fromkeys((*self.common_pull_secrets, *own))]
