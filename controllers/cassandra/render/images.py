"""Which images run: upstream's ImageConfig with the choices that it ships.

A spec that names an image wins over this table; the table only completes type and version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controllers.cassandra.datacenter import Datacenter

PULL_POLICY = "IfNotPresent"
CONFIG_BUILDER = "config-builder"
K8SSANDRA_CLIENT = "k8ssandra-client"
SYSTEM_LOGGER = "system-logger"


class UnknownServerType(ValueError):
    """No image is known for a server type, and the spec names none."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image without, or with, its tag."""

    registry: str
    repository: str
    tag: str = ""
    prefix: str = ""
    suffix: str = ""
    pull_policy: str = PULL_POLICY
    pull_secret: str = ""

    def reference(self, version: str = "") -> str:
        """The full reference; a tag that is a digest is joined by ``@``."""
        tag = self.tag or f"{self.prefix}{version}{self.suffix}"
        separator = "@" if tag.startswith("sha256:") else ":"
        return f"{self.registry}/{self.repository}{separator}{tag}"


def _defaults() -> dict[str, Image]:
    return {
        SYSTEM_LOGGER: Image("ghcr.io", "k8ssandra/system-logger", "latest"),
        CONFIG_BUILDER: Image("docker.io", "datastax/cass-config-builder", "1.0-ubi"),
        K8SSANDRA_CLIENT: Image("docker.io", "k8ssandra/k8ssandra-client", "v0.8.12"),
    }


def _server_types() -> dict[str, Image]:
    return {
        "cassandra": Image("ghcr.io", "k8ssandra/cass-management-api", suffix="-ubi"),
        "dse": Image("docker.io", "datastax/dse-mgmtapi-6_8", suffix="-ubi"),
        "hcd": Image("docker.io", "datastax/hcd", suffix="-ubi"),
    }


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The table of images."""

    images: Mapping[str, Image] = field(default_factory=_defaults)
    types: Mapping[str, Image] = field(default_factory=_server_types)

    def server(self, datacenter: Datacenter) -> str:
        """The image of the database."""
        spec = datacenter.spec
        if spec.server_image:
            return spec.server_image
        image = self.types.get(spec.server_type)
        if image is None:
            raise UnknownServerType(
                f"spec.serverType: no image is known for {spec.server_type!r}; set spec.serverImage"
            )
        return image.reference(spec.server_version)

    def config_builder(self, datacenter: Datacenter) -> str:
        """The image that writes the configuration files."""
        if datacenter.uses_client_builder:
            return self.images[K8SSANDRA_CLIENT].reference()
        return datacenter.spec.config_builder_image or self.images[CONFIG_BUILDER].reference()

    def system_logger(self, datacenter: Datacenter) -> str:
        """The image of the sidecar that forwards system.log."""
        return datacenter.spec.system_logger_image or self.images[SYSTEM_LOGGER].reference()

    def pull_secrets(self, datacenter: Datacenter) -> list[dict[str, str]]:
        """Secrets with which the images of this table are pulled."""
        image = self.types.get(datacenter.spec.server_type)
        return [{"name": image.pull_secret}] if image and image.pull_secret else []
