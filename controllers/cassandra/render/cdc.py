"""Change data capture by the Pulsar agent: a switch in cassandra.yaml and the agent's JVM option.

Deprecated upstream, and kept for datacenters that use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter
from missioncontrol.api.cassandra import CdcConfiguration

AGENT: Final = "-javaagent:/opt/cdc_agent/cdc-agent.jar"
MANAGEMENT_AGENT: Final = "-javaagent:/opt/management-api/datastax-mgmtapi-agent.jar"
METRICS_AGENT: Final = "-javaagent:/opt/metrics-collector/lib/datastax-mcac-agent.jar"


def with_cdc(document: dict[str, Any], datacenter: Datacenter) -> dict[str, Any]:
    """The configuration with the agent, if the spec wants one."""
    wanted = datacenter.spec.cdc
    if wanted is None:
        return document
    yaml = {**_object(document.get("cassandra-yaml")), "cdc_enabled": True}
    environment = _object(document.get("cassandra-env-sh"))
    given = environment.get("additional-jvm-opts")
    options = (
        [each for each in given if "pulsarServiceUrl" not in str(each)] if isinstance(given, list) else []
    )
    if datacenter.spec.server_type == "cassandra" and not _metrics_agent_is_off(datacenter):
        options.append(METRICS_AGENT)
    options += [MANAGEMENT_AGENT, f"{AGENT}={_arguments(wanted)}"]
    return {
        **document,
        "cassandra-yaml": yaml,
        "cassandra-env-sh": {**environment, "additional-jvm-opts": options},
    }


def faults(document: Mapping[str, Any], datacenter: Datacenter) -> Iterator[tuple[str, str]]:
    """What of a configuration the agent cannot be added to: the path in it, and what has to stand there."""
    if datacenter.spec.cdc is None:
        return
    for section in ("cassandra-yaml", "cassandra-env-sh"):
        if not isinstance(document.get(section), Mapping | None):
            yield section, "must be an object: spec.cdc adds to it"
    options = _object(document.get("cassandra-env-sh")).get("additional-jvm-opts")
    if not isinstance(options, list | None) or not all(isinstance(each, str) for each in options or ()):
        yield "cassandra-env-sh.additional-jvm-opts", "must be a list of strings: spec.cdc adds to it"


def _arguments(wanted: CdcConfiguration) -> str:
    """The agent's settings in the order of the schema."""
    found = []
    for name, field in type(wanted).model_fields.items():
        given = getattr(wanted, name)
        if given is None:
            continue
        text = str(given).lower() if isinstance(given, bool) else str(given)
        found.append(f"{field.alias or name}={text}")
    return ",".join(found)


def _metrics_agent_is_off(datacenter: Datacenter) -> bool:
    pod_spec = (datacenter.spec.pod_template_spec or {}).get("spec") or {}
    return any(
        variable.get("name") == "MGMT_API_DISABLE_MCAC" and variable.get("value") == "true"
        for container in pod_spec.get("containers") or ()
        if container.get("name") == CASSANDRA_CONTAINER
        for variable in container.get("env") or ()
    )


def _object(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
