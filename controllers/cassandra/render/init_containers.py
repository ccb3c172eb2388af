"""The init containers, which build the configuration files before the server starts.

The newer builder needs a copy of what the image ships, made by a container before it; the older one brings
its own, except that DSE's image on a read-only file system has files that it lacks.
"""

from __future__ import annotations

import copy

from controllers.cassandra.datacenter import Datacenter, RackPlan
from controllers.cassandra.render.config import render_config
from controllers.cassandra.render.containers import (
    config_directory,
    resources_or,
    secured,
    set_pull_policy,
)
from controllers.cassandra.render.images import CONFIG_BUILDER, K8SSANDRA_CLIENT, ImageConfig
from controllers.cassandra.render.parts import Json, field, merged, mount, value

CONFIG_CONTAINER = "server-config-init"
BASE_CONFIG_CONTAINER = "server-config-init-base"
BUILDER_RESOURCES = {
    "requests": {"cpu": "1", "memory": "256M"},
    "limits": {"cpu": "1", "memory": "384M"},
}
_BASE = mount("server-config-base", "/cassandra-base-config")


def init_containers(
    given: list[Json], datacenter: Datacenter, rack: RackPlan, images: ImageConfig
) -> list[Json]:
    """The user's order is kept; what the user did not list is put where it works."""
    made = [copy.deepcopy(container) for container in given]
    if needs_base_copy(datacenter):
        _put(made, BASE_CONFIG_CONTAINER, _base_position(made, datacenter))
    _put(made, CONFIG_CONTAINER, len(made))
    for index, container in enumerate(made):
        if container["name"] == CONFIG_CONTAINER:
            made[index] = _config_container(container, datacenter, rack.name, images)
        elif container["name"] == BASE_CONFIG_CONTAINER and needs_base_copy(datacenter):
            made[index] = _base_container(container, datacenter, images)
    return [secured(container, datacenter) for container in made]


def needs_base_copy(datacenter: Datacenter) -> bool:
    """Whether the image's own configuration files have to be copied first."""
    return datacenter.uses_client_builder or (datacenter.read_only_root and datacenter.is_dse)


def _put(containers: list[Json], name: str, position: int) -> None:
    if all(container["name"] != name for container in containers):
        containers.insert(position, {"name": name})


def _base_position(containers: list[Json], datacenter: Datacenter) -> int:
    if not datacenter.uses_client_builder:
        # DSE's copy goes into the builder's own folder, so that it has to be the very first
        return 0
    names = [container["name"] for container in containers]
    return names.index(CONFIG_CONTAINER) if CONFIG_CONTAINER in names else len(names)


def _config_container(given: Json, datacenter: Datacenter, rack: str, images: ImageConfig) -> Json:
    """Writes the configuration files from the JSON document."""
    container = dict(given)
    if not container.get("image"):
        if datacenter.uses_client_builder:
            container |= {"image": images.image(K8SSANDRA_CLIENT), "args": ["config", "build"]}
            set_pull_policy(container, images.pull_policy(K8SSANDRA_CLIENT))
        else:
            container["image"] = datacenter.spec.config_builder_image or images.image(CONFIG_BUILDER)
            set_pull_policy(container, images.pull_policy(CONFIG_BUILDER))
    mounts = _builder_mounts(datacenter)
    if datacenter.uses_client_builder:
        mounts.append(_BASE)
    container["volumeMounts"] = merged(given.get("volumeMounts"), mounts)
    container["resources"] = resources_or(datacenter.spec.config_builder_resources, BUILDER_RESOURCES)
    container["env"] = merged(given.get("env"), _config_env(datacenter, rack))
    return container


def _base_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """Copies the image's own configuration to where the builder, or a read-only server, finds it."""
    container = dict(given)
    path = "/cassandra-base-config" if datacenter.uses_client_builder else "/config"
    if not container.get("image"):
        container["image"] = images.server(datacenter)
        set_pull_policy(container, images.pull_policy(datacenter.spec.server_type))
        container["command"] = ["/bin/sh"]
        container["args"] = ["-c", f"cp -rf {config_directory(datacenter)}/* {path}/"]
    if datacenter.uses_client_builder:
        container["volumeMounts"] = [_BASE]
    else:
        container["volumeMounts"] = merged(given.get("volumeMounts"), _builder_mounts(datacenter))
    return container


def _builder_mounts(datacenter: Datacenter) -> list[Json]:
    volumes = datacenter.spec.storage_config.additional_volumes
    sources = [volume for volume in volumes if volume.volume_source is not None]
    return [
        mount("server-config", "/config"),
        *(mount(volume.name, volume.mount_path) for volume in sources),
    ]


def _config_env(datacenter: Datacenter, rack: str) -> list[Json]:
    return [
        field("POD_IP", "status.podIP"),
        field("HOST_IP", "status.hostIP"),
        value("USE_HOST_IP_FOR_BROADCAST", "true" if datacenter.uses_node_ports else "false"),
        value("RACK_NAME", rack),
        value("PRODUCT_VERSION", datacenter.spec.server_version),
        value("PRODUCT_NAME", datacenter.spec.server_type),
        field("POD_NAME", "metadata.name"),
        *_config_data(datacenter),
    ]


def _config_data(datacenter: Datacenter) -> list[Json]:
    """The document itself, or where it is kept, with a hash that changes the template when it changes."""
    if not datacenter.spec.config_secret:
        return [value("CONFIG_FILE_DATA", render_config(datacenter))]
    reference = {"name": datacenter.merged_config_secret, "key": "config"}
    return [
        {"name": "CONFIG_FILE_DATA", "valueFrom": {"secretKeyRef": reference}},
        value("CONFIG_HASH", datacenter.config_hash),
    ]
