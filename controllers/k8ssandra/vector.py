"""Vector, which forwards logs and metrics: the system logger of each pod, with a configuration from here.

The user's sources, transformations and sinks stand before the usual ones, and of two with one name the first
counts; so each of ours can be replaced. What leads to no sink is left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controllers.k8ssandra import metrics_agent
from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.config_maps import config_map, with_common_tags
from controllers.k8ssandra.log_parser import LOG_PARSER
from controllers.k8ssandra.pods import LOGGER_CONTAINER
from missioncontrol.api.names import cleanup_for_kubernetes
from missioncontrol.validation.values import at, duration, mapping, sequence, text

Json = dict[str, Any]

KEY: Final = "vector.toml"
VOLUME: Final = "vector-config"
MOUNT_PATH: Final = "/etc/vector"
SCRAPE_SECONDS: Final = 30
RESOURCES: Final = {
    "requests": {"cpu": "200m", "memory": "128Mi"},
    "limits": {"cpu": "2", "memory": "2Gi"},
}

_ENTRY: Final = '"^(INFO|WARN|ERROR|DEBUG|TRACE|FATAL)"'
_TLS: Final = {"ca.crt": "ca_file", "tls.crt": "crt_file", "tls.key": "key_file"}


@dataclass(frozen=True, slots=True)
class Component:
    """A source, transformation or sink; `config` is the rest of its table, in TOML."""

    name: str
    type: str
    config: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    sources: tuple[Component, ...]
    transforms: tuple[Component, ...]
    sinks: tuple[Component, ...]


def is_wanted(datacenter: DatacenterSpec) -> bool:
    return at(datacenter.options, "telemetry", "vector", "enabled") is True


def config_map_name(cluster: Cluster, datacenter: DatacenterSpec) -> str:
    return cleanup_for_kubernetes(f"{cluster.cluster_name}-{datacenter.ring_name}-cass-vector")


def render(cluster: Cluster, datacenter: DatacenterSpec) -> Json | None:
    """The ConfigMap of one datacenter, None where the system logger has its own configuration."""
    if not is_wanted(datacenter):
        return None
    name = config_map_name(cluster, datacenter)
    return with_common_tags(cluster, config_map(cluster, name, {KEY: _configuration(datacenter)}, {}))


def volumes(cluster: Cluster, datacenter: DatacenterSpec) -> list[Json]:
    """The volume through which the agents see it."""
    if not is_wanted(datacenter):
        return []
    source = {"configMap": {"name": config_map_name(cluster, datacenter)}}
    return [{"name": VOLUME, "mountPath": MOUNT_PATH, "volumeSource": source}]


def resources(datacenter: DatacenterSpec) -> Json:
    """What the agent may use."""
    if not is_wanted(datacenter):
        return {}
    return dict(mapping(at(datacenter.options, "telemetry", "vector", "resources"))) or RESOURCES


def with_agent(containers: list[Json], datacenter: DatacenterSpec) -> list[Json]:
    """The containers of a pod template, with that of the agent."""
    if not is_wanted(datacenter):
        return containers
    image = text(at(datacenter.options, "telemetry", "vector", "image"))
    agent = {"image": image} if image else {}
    if all(each.get("name") != LOGGER_CONTAINER for each in containers):
        return [*containers, {"name": LOGGER_CONTAINER, **agent}]
    return [{**each, **agent} if each.get("name") == LOGGER_CONTAINER else each for each in containers]


def objection(cluster: Cluster) -> str:
    """Why an agent could not read its configuration; empty when it can."""
    for datacenter in cluster.datacenters:
        if not is_wanted(datacenter):
            continue
        try:
            tomllib.loads(_configuration(datacenter))
        except tomllib.TOMLDecodeError as error:
            what = f"telemetry.vector of datacenter {datacenter.name}"
            return f"{what} makes a configuration that is no TOML: {error}"
    return ""


# --- the configuration -------------------------------------------------------------------------


def _configuration(datacenter: DatacenterSpec) -> str:
    telemetry = mapping(datacenter.options.get("telemetry"))
    vector = mapping(telemetry.get("vector"))
    given = mapping(vector.get("components"))
    usual = _usual(telemetry)
    used = reaching_a_sink(
        Pipeline(
            (*_components(given, "sources"), *usual.sources),
            (*_components(given, "transforms"), *usual.transforms),
            (*_components(given, "sinks"), *usual.sinks),
        )
    )
    own = text(vector.get("config"))
    head = own if not own or own.endswith("\n") else own + "\n"
    tables = (("sources", used.sources), ("transforms", used.transforms), ("sinks", used.sinks))
    return head + "".join(_table(kind, each) for kind, components in tables for each in components)


def reaching_a_sink(pipeline: Pipeline) -> Pipeline:
    """The pipeline without what has the name of something before it, and without what no sink gets."""
    sinks = _first_of_each_name(pipeline.sinks)
    transforms = _first_of_each_name(pipeline.transforms)
    wanted = {name for sink in sinks for name in sink.inputs}
    while more := {name for each in transforms if each.name in wanted for name in each.inputs} - wanted:
        wanted |= more
    return Pipeline(
        tuple(each for each in _first_of_each_name(pipeline.sources) if each.name in wanted),
        tuple(each for each in transforms if each.name in wanted),
        sinks,
    )


def _first_of_each_name(components: Iterable[Component]) -> tuple[Component, ...]:
    found: dict[str, Component] = {}
    for each in components:
        found.setdefault(each.name, each)
    return tuple(found.values())


def _components(given: Mapping[str, Any], kind: str) -> list[Component]:
    return [
        Component(
            text(each.get("name")),
            text(each.get("type")),
            text(each.get("config")),
            tuple(map(text, sequence(each.get("inputs")))),
        )
        for each in map(mapping, sequence(given.get(kind)))
    ]


def _table(kind: str, component: Component) -> str:
    lines = [f"\n[{kind}.{component.name}]", f'type = "{component.type}"']
    if kind != "sources":
        inputs = '", "'.join(component.inputs)
        lines.append(f'inputs = ["{inputs}"]')
    if component.config:
        lines.append(component.config)
    return "\n".join(lines) + "\n"


def _usual(telemetry: Mapping[str, Any]) -> Pipeline:
    """The log on the container's output; metrics and parsed entries for sinks that ask for them."""
    return Pipeline(
        sources=(
            Component("systemlog", "file", _SYSTEM_LOG),
            Component("cassandra_metrics_raw", "prometheus_scrape", _scrape(telemetry)),
        ),
        transforms=(
            Component("parse_cassandra_log", "remap", LOG_PARSER, ("systemlog",)),
            Component("cassandra_metrics", "remap", _WITH_NAMESPACE, ("cassandra_metrics_raw",)),
        ),
        sinks=(Component("console_log", "console", _PLAIN_OUTPUT, ("systemlog",)),),
    )


def _scrape(telemetry: Mapping[str, Any]) -> str:
    older = at(telemetry, "mcac", "enabled") is True
    endpoint = mapping(at(telemetry, "cassandra", "endpoint"))
    tls = endpoint.get("tls")
    address = text(endpoint.get("address")) or "localhost"
    port = text(endpoint.get("port")) or str(metrics_agent.OLDER_PORT if older else metrics_agent.PORT)
    scheme, path = "http" if tls is None else "https", "" if older else "/metrics"
    seconds = duration(text(at(telemetry, "vector", "scrapeInterval")))
    lines = [
        f'endpoints = [ "{scheme}://{address}:{port}{path}" ]',
        f"scrape_interval_secs = {SCRAPE_SECONDS if seconds is None else int(seconds)}",
    ]
    files = mapping(tls)
    lines += [f'tls.{name} = "{files[key]}"' for key, name in _TLS.items() if files.get(key)]
    return "\n".join(lines)


_SYSTEM_LOG: Final = f"""\
include = [ "/var/log/cassandra/system.log" ]
read_from = "beginning"
fingerprint.strategy = "device_and_inode"
[sources.systemlog.multiline]
start_pattern = {_ENTRY}
condition_pattern = {_ENTRY}
mode = "halt_before"
timeout_ms = 10000
"""
_PLAIN_OUTPUT: Final = """\
target = "stdout"
encoding.codec = "text"
"""
_WITH_NAMESPACE: Final = """\
source = '''
namespace, err = get_env_var("NAMESPACE")
if err == null {
  .tags.namespace = namespace
}
'''
"""
