"""The containers of a Cassandra pod: server, logger, and the two that build the configuration.

Each function completes what the user's template gives for that container: what the user set stays, what is
missing is added (lists by the name of their items), except for what the operator has to decide itself.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, MANAGEMENT_PORT_NAME, Datacenter
from controllers.cassandra.render import services
from controllers.cassandra.render.config import render_config
from controllers.cassandra.render.images import PULL_POLICY, ImageConfig
from controllers.cassandra.render.probes import complete_probe, liveness_probe, pre_stop, readiness_probe
from missioncontrol.api.names import Label

Json = dict[str, Any]

LOGGER_CONTAINER = "server-system-logger"
CONFIG_CONTAINER = "server-config-init"
BASE_CONFIG_CONTAINER = "server-config-init-base"

LOCKED_DOWN = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}


def cassandra_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """The server itself, with the management API as its first process."""
    container = {**copy.deepcopy(given), "name": CASSANDRA_CONTAINER}
    _default_image(container, images.server(datacenter))
    if not container.get("resources"):
        container["resources"] = datacenter.spec.resources or {}
    port = datacenter.management_port
    container["livenessProbe"] = complete_probe(given.get("livenessProbe"), liveness_probe(port))
    container["readinessProbe"] = complete_probe(given.get("readinessProbe"), readiness_probe(port))
    container["lifecycle"] = {"preStop": pre_stop(port), **(given.get("lifecycle") or {})}
    container["env"] = merged(given.get("env"), _cassandra_env(datacenter))
    container["ports"] = merged(given.get("ports"), _cassandra_ports(datacenter))
    container["volumeMounts"] = unique(
        [*_additional_mounts(datacenter), *(given.get("volumeMounts") or ()), *_cassandra_mounts(datacenter)]
    )
    return _secured(container, datacenter)


def logger_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """The sidecar that prints system.log."""
    container = {**copy.deepcopy(given), "name": LOGGER_CONTAINER}
    _default_image(container, images.system_logger(datacenter))
    env = [
        *_pod_and_node(),
        _value("CLUSTER_NAME", datacenter.spec.cluster_name),
        _value("DATACENTER_NAME", datacenter.cassandra_name),
        _field("RACK_NAME", f"metadata.labels['{Label.RACK}']"),
        _field("NAMESPACE", "metadata.namespace"),
    ]
    container["env"] = merged(given.get("env"), env)
    own = [_mount("server-logs", "/var/log/cassandra"), _mount("vector-lib", "/var/lib/vector")]
    container["volumeMounts"] = unique(
        [*(given.get("volumeMounts") or ()), *_additional_mounts(datacenter), *own]
    )
    container["resources"] = datacenter.spec.system_logger_resources or {
        "requests": {"cpu": "100m", "memory": "64M"},
        "limits": {"memory": "128M"},
    }
    return _secured(container, datacenter)


def config_container(given: Json, datacenter: Datacenter, rack: str, images: ImageConfig) -> Json:
    """Writes the configuration files from the JSON document."""
    container = {**copy.deepcopy(given), "name": CONFIG_CONTAINER}
    _default_image(container, images.config_builder(datacenter))
    mounts = [_mount("server-config", "/config")]
    mounts += [
        _mount(volume.name, volume.mount_path)
        for volume in datacenter.spec.storage_config.additional_volumes
        if volume.volume_source is not None
    ]
    if datacenter.uses_client_builder:
        container.setdefault("args", ["config", "build"])
        mounts.append(_mount("server-config-base", "/cassandra-base-config"))
    container["volumeMounts"] = unique([*(given.get("volumeMounts") or ()), *mounts])
    container["resources"] = datacenter.spec.config_builder_resources or {
        "requests": {"cpu": "1", "memory": "256M"},
        "limits": {"cpu": "1", "memory": "384M"},
    }
    container["env"] = merged(given.get("env"), _config_env(datacenter, rack))
    return container


def base_config_container(given: Json, datacenter: Datacenter, images: ImageConfig) -> Json:
    """Copies the image's own configuration to where the builder, or a read-only server, finds it."""
    container = {**copy.deepcopy(given), "name": BASE_CONFIG_CONTAINER}
    _default_image(container, images.server(datacenter))
    volume, path = ("server-config-base", "/cassandra-base-config")
    if not datacenter.uses_client_builder:
        volume, path = ("server-config", "/config")
    container.setdefault("command", ["/bin/sh"])
    container.setdefault("args", ["-c", f"cp -rf {config_directory(datacenter)}/* {path}/"])
    container["volumeMounts"] = unique([*(given.get("volumeMounts") or ()), _mount(volume, path)])
    return container


def secured_init(container: Json, datacenter: Datacenter) -> Json:
    """Any init container, the user's too, with the security context that the file system needs."""
    return _secured(container, datacenter)


def config_directory(datacenter: Datacenter) -> str:
    """Where the server's image keeps its configuration."""
    if datacenter.is_dse:
        return "/opt/dse/resources/cassandra/conf"
    return "/opt/hcd/resources/cassandra/conf" if datacenter.is_hcd else "/etc/cassandra"


# --- environment, ports, mounts ----------------------------------------------------------------


def _cassandra_env(datacenter: Datacenter) -> list[Json]:
    env = [
        *_pod_and_node(),
        _value("DS_LICENSE", "accept"),
        _value("USE_MGMT_API", "true"),
        _value("MGMT_API_NO_KEEP_ALIVE", "true"),
        _value("MGMT_API_EXPLICIT_START", "true"),
        _value("MGMT_API_LISTEN_TCP_PORT", str(datacenter.management_port)),
    ]
    if datacenter.is_dse:
        env += [_value("DSE_AUTO_CONF_OFF", "all"), _value("DSE_MGMT_EXPLICIT_START", "true")]
        options = _workload_options(datacenter)
        if options:
            env.append(_value("JVM_EXTRA_OPTS", options))
    if datacenter.is_hcd:
        env.append(_value("HCD_AUTO_CONF_OFF", "all"))
    if datacenter.read_only_root:
        env.append(_value("MGMT_API_DISABLE_MCAC", "true"))
    return env


def _workload_options(datacenter: Datacenter) -> str:
    workloads = datacenter.spec.dse_workloads
    if workloads is None:
        return ""
    switches = (
        (workloads.analytics_enabled, "-Dspark-trackers=true"),
        (workloads.graph_enabled, "-Dgraph-enabled=true"),
        (workloads.search_enabled, "-Dsearch-service=true"),
    )
    return " ".join(option for enabled, option in switches if enabled)


def _config_env(datacenter: Datacenter, rack: str) -> list[Json]:
    return [
        _field("POD_IP", "status.podIP"),
        _field("HOST_IP", "status.hostIP"),
        _value("USE_HOST_IP_FOR_BROADCAST", "true" if datacenter.uses_node_ports else "false"),
        _value("RACK_NAME", rack),
        _value("PRODUCT_VERSION", datacenter.spec.server_version),
        _value("PRODUCT_NAME", datacenter.spec.server_type),
        _field("POD_NAME", "metadata.name"),
        _value("CONFIG_FILE_DATA", render_config(datacenter)),
    ]


def _cassandra_ports(datacenter: Datacenter) -> list[Json]:
    ports = [
        ("native", services.NATIVE),
        ("tls-native", services.NATIVE_TLS),
        ("internode", services.INTERNODE),
        ("tls-internode", services.INTERNODE_TLS),
        ("jmx", services.JMX),
        (MANAGEMENT_PORT_NAME, datacenter.management_port),
        ("prometheus", services.PROMETHEUS),
        ("metrics", services.METRICS),
    ]
    if datacenter.has_thrift:
        ports.append(("thrift", services.THRIFT))
    if datacenter.is_dse:
        ports.append(("internode-msg", 8609))
        ports += _workload_ports(datacenter)
    return [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in ports]


def _workload_ports(datacenter: Datacenter) -> list[tuple[str, int]]:
    workloads = datacenter.spec.dse_workloads
    ports: list[tuple[str, int]] = []
    if workloads is not None and workloads.analytics_enabled:
        ports += [(f"spark-app-{number}", number) for number in range(4040, 4051)]
        ports += [("dsefs-public", 5598), ("dsefs-internode", 5599), ("spark-internode", 7077)]
        ports += [("spark-master", 7080), ("spark-worker", 7081), ("jobserver", 8090)]
        ports += [("always-on-sql", 9077), ("jobserver-jmx", 9999), ("sql-thrift", 10000)]
        ports.append(("spark-history", 18080))
    if workloads is not None and workloads.graph_enabled:
        ports.append(("gremlin", 8182))
    if workloads is not None and workloads.search_enabled:
        ports.append(("solr", 8983))
    return ports


def _cassandra_mounts(datacenter: Datacenter) -> list[Json]:
    mounts = [_mount("tmp", "/tmp")]
    if datacenter.read_only_root:
        mounts.append(_mount("etc-cassandra", config_directory(datacenter)))
        if datacenter.is_dse:
            mounts.append(_mount("dse-conf", "/opt/dse/resources/dse/conf"))
            if not datacenter.uses_client_builder:
                mounts.append(_mount("spark-conf", "/opt/dse/resources/spark/conf"))
                mounts.append(_mount("collectd-conf", "/opt/dse/resources/dse/collectd/etc/collectd"))
    return [
        *mounts,
        _mount("server-logs", "/var/log/cassandra"),
        _mount("server-data", "/var/lib/cassandra"),
        _mount("server-config", "/config"),
    ]


def _additional_mounts(datacenter: Datacenter) -> list[Json]:
    volumes = datacenter.spec.storage_config.additional_volumes
    return [_mount(volume.name, volume.mount_path) for volume in volumes]


# --- small helpers -----------------------------------------------------------------------------


def merged(given: Iterable[Json] | None, defaults: Iterable[Json]) -> list[Json]:
    """The user's items as they are, then every default whose name the user has not used."""
    own = list(given or ())
    taken = {item.get("name") for item in own}
    return [*own, *(item for item in defaults if item["name"] not in taken)]


def unique(mounts: Iterable[Json]) -> list[Json]:
    """Mounts with each volume once: the first one counts."""
    found: dict[str, Json] = {}
    for mount in mounts:
        found.setdefault(mount["name"], mount)
    return list(found.values())


def _default_image(container: Json, image: str) -> None:
    if not container.get("image"):
        container["image"] = image
        container.setdefault("imagePullPolicy", PULL_POLICY)


def _secured(container: Json, datacenter: Datacenter) -> Json:
    context = dict(container.get("securityContext") or {})
    container["securityContext"] = {**context, **LOCKED_DOWN} if datacenter.read_only_root else context
    return container


def _pod_and_node() -> list[Json]:
    return [_field("POD_NAME", "metadata.name"), _field("NODE_NAME", "spec.nodeName")]


def _value(name: str, value: str) -> Json:
    return {"name": name, "value": value}


def _field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _mount(name: str, path: str) -> Json:
    return {"name": name, "mountPath": path}
