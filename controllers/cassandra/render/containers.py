"""The containers of a Cassandra pod: the server, and the sidecar that prints its log.

Each function completes what the user's template gives for that container: what the user set stays, what is
missing is added (lists by the name of their items), except for what the operator has to decide itself.
"""

from __future__ import annotations

import copy

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter
from controllers.cassandra.render.images import SYSTEM_LOGGER, ImageConfig
from controllers.cassandra.render.parts import Json, field, merged, mount, pod_and_node, value
from controllers.cassandra.render.ports import container_ports
from controllers.cassandra.render.probes import complete_probe, liveness_probe, pre_stop, readiness_probe
from missioncontrol.api.names import Label

LOGGER_CONTAINER = "server-system-logger"
ENCRYPTION_VOLUME = "encryption-cred-storage"

LOCKED_DOWN = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
LOGGER_RESOURCES = {"requests": {"cpu": "100m", "memory": "64M"}, "limits": {"memory": "128M"}}


def cassandra_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """The server itself, with the management API as its first process."""
    container = {**copy.deepcopy(given), "name": CASSANDRA_CONTAINER}
    if not container.get("image"):
        container["image"] = images.server(datacenter)
        set_pull_policy(container, images.pull_policy(datacenter.spec.server_type))
    if not container.get("resources"):
        container["resources"] = datacenter.spec.resources or {}
    port = datacenter.management_port
    container["livenessProbe"] = complete_probe(given.get("livenessProbe"), liveness_probe(port))
    container["readinessProbe"] = complete_probe(given.get("readinessProbe"), readiness_probe(port))
    stop = pre_stop(port, secured=datacenter.has_manual_management_auth)
    container["lifecycle"] = {"preStop": stop, **(given.get("lifecycle") or {})}
    container["env"] = merged(given.get("env"), _cassandra_env(datacenter))
    container["ports"] = merged(given.get("ports"), container_ports(datacenter))
    # the user may mount one volume at several places, so that only ours give way to theirs
    own = [*(given.get("volumeMounts") or ()), *_fixed_mounts(datacenter)]
    container["volumeMounts"] = merged(
        _additional_mounts(datacenter), merged(own, _default_mounts(datacenter))
    )
    return secured(container, datacenter)


def logger_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """The sidecar that prints system.log."""
    container = {**copy.deepcopy(given), "name": LOGGER_CONTAINER}
    if not container.get("image"):
        container["image"] = datacenter.spec.system_logger_image or images.image(SYSTEM_LOGGER)
        set_pull_policy(container, images.pull_policy(SYSTEM_LOGGER))
    env = [
        *pod_and_node(),
        value("CLUSTER_NAME", datacenter.spec.cluster_name),
        value("DATACENTER_NAME", datacenter.cassandra_name),
        field("RACK_NAME", f"metadata.labels['{Label.RACK}']"),
        field("NAMESPACE", "metadata.namespace"),
    ]
    container["env"] = merged(given.get("env"), env)
    own = [mount("server-logs", "/var/log/cassandra"), mount("vector-lib", "/var/lib/vector")]
    container["volumeMounts"] = merged(given.get("volumeMounts"), merged(_additional_mounts(datacenter), own))
    container["resources"] = resources_or(datacenter.spec.system_logger_resources, LOGGER_RESOURCES)
    return secured(container, datacenter)


def config_directory(datacenter: Datacenter) -> str:
    """Where the server's image keeps its configuration."""
    if datacenter.is_dse:
        return "/opt/dse/resources/cassandra/conf"
    return "/opt/hcd/resources/cassandra/conf" if datacenter.is_hcd else "/etc/cassandra"


def secured(container: Json, datacenter: Datacenter) -> Json:
    """The container with the security context that a read-only file system needs."""
    context = dict(container.get("securityContext") or {})
    container["securityContext"] = {**context, **LOCKED_DOWN} if datacenter.read_only_root else context
    return container


def set_pull_policy(container: Json, policy: str) -> None:
    """The policy of our image; it wins over the user's, which belonged to no image."""
    if policy:
        container["imagePullPolicy"] = policy


def resources_or(given: Json | None, default: Json) -> Json:
    """What the user asks for; empty requests and limits ask for nothing."""
    if given and (given.get("requests") or given.get("limits")):
        return given
    return copy.deepcopy(default)


# --- environment and mounts of the server -------------------------------------------------------


def _cassandra_env(datacenter: Datacenter) -> list[Json]:
    env = [
        *pod_and_node(),
        value("DS_LICENSE", "accept"),
        value("USE_MGMT_API", "true"),
        value("MGMT_API_NO_KEEP_ALIVE", "true"),
        value("MGMT_API_EXPLICIT_START", "true"),
        value("MGMT_API_LISTEN_TCP_PORT", str(datacenter.management_port)),
    ]
    if datacenter.is_dse:
        env += [value("DSE_AUTO_CONF_OFF", "all"), value("DSE_MGMT_EXPLICIT_START", "true")]
        if datacenter.spec.dse_workloads is not None:
            env.append(value("JVM_EXTRA_OPTS", _workload_options(datacenter)))
    if datacenter.is_hcd:
        env.append(value("HCD_AUTO_CONF_OFF", "all"))
    if datacenter.read_only_root:
        env.append(value("MGMT_API_DISABLE_MCAC", "true"))
    return env


def _workload_options(datacenter: Datacenter) -> str:
    """The options to the letter, the spaces at their ends too: another text would be another template."""
    workloads = datacenter.spec.dse_workloads
    if workloads is None:
        return ""
    switches = (
        (workloads.analytics_enabled, "-Dspark-trackers=true "),
        (workloads.graph_enabled, "-Dgraph-enabled=true "),
        (workloads.search_enabled, "-Dsearch-service=true"),
    )
    return "".join(option for enabled, option in switches if enabled)


def _fixed_mounts(datacenter: Datacenter) -> list[Json]:
    """What is mounted after the user's mounts, whatever these are."""
    mounts = [mount("tmp", "/tmp")]
    if datacenter.read_only_root:
        mounts.append(mount("etc-cassandra", config_directory(datacenter)))
        if datacenter.is_dse:
            mounts.append(mount("dse-conf", "/opt/dse/resources/dse/conf"))
            if not datacenter.uses_client_builder:
                mounts.append(mount("spark-conf", "/opt/dse/resources/spark/conf"))
                mounts.append(mount("collectd-conf", "/opt/dse/resources/dse/collectd/etc/collectd"))
    return mounts


def _default_mounts(datacenter: Datacenter) -> list[Json]:
    """What is mounted unless the user mounts these volumes elsewhere."""
    mounts = [
        mount("server-logs", "/var/log/cassandra"),
        mount("server-data", "/var/lib/cassandra"),
        mount("server-config", "/config"),
    ]
    template = (datacenter.spec.pod_template_spec or {}).get("spec") or {}
    declared = any(volume.get("name") == ENCRYPTION_VOLUME for volume in template.get("volumes") or ())
    if declared or datacenter.has_legacy_keystore:
        mounts.append(mount(ENCRYPTION_VOLUME, "/etc/encryption/"))
    return mounts


def _additional_mounts(datacenter: Datacenter) -> list[Json]:
    volumes = datacenter.spec.storage_config.additional_volumes
    return [mount(volume.name, volume.mount_path) for volume in volumes]
