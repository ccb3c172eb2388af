"""A transformation for Vector that takes an entry of Cassandra's system log apart, in Vector's own language.

It is there for sinks that name `parse_cassandra_log` as their input. An entry begins like
`INFO  [main] 2026-01-31 08:15:30,123 StorageService.java:42 - ` and may go on over several lines.
"""

from __future__ import annotations

from typing import Final

_PATTERN: Final = (
    r"(?s)^(?P<loglevel>[A-Z]+)\s+\[(?P<thread>.+?)\]\s+"
    r"(?P<written_at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\s+"
    r"(?P<class>[^\s:]+):(?P<line>\d+)\s+-\s+(?P<message>.+)$"
)
_PLACE: Final = {
    "pod_name": "POD_NAME",
    "node_name": "NODE_NAME",
    "cluster": "CLUSTER_NAME",
    "datacenter": "DATACENTER_NAME",
    "rack": "RACK_NAME",
    "namespace": "NAMESPACE",
}
"""Where an entry comes from: its fields, and the variables of the container that tell."""


def _from_variable(field: str, variable: str) -> str:
    return f'{field}, err = get_env_var("{variable}")\nif err == null {{\n  .{field} = {field}\n}}\n'


LOG_PARSER: Final = (
    "source = '''\n"
    "del(.source_type)\n"
    ".message = strip_whitespace(string!(.message))\n"
    f"entry, err = parse_regex(.message, r'{_PATTERN}')\n"
    "if err == null {\n"
    "  . |= entry\n"
    '  moment, err = parse_timestamp(.written_at, format: "%Y-%m-%d %T,%3f")\n'
    "  if err == null {\n"
    "    .timestamp = moment\n"
    "  }\n"
    "  del(.written_at)\n"
    "} else {\n"
    '  .loglevel = "warn"\n'
    "}\n" + "".join(_from_variable(field, variable) for field, variable in _PLACE.items()) + "'''\n"
)
