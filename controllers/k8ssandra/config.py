"""The Cassandra configuration of one datacenter: what the user gave, completed by what k8ssandra adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controllers.k8ssandra.jvm import ADDITIONAL, ENV_FILE, builder_sections, is_old_cassandra

SYSTEM_REPLICATION_OPTION: Final = "-Dcassandra.system_distributed_replication"
_RANGE_MOVEMENT_OPTION: Final = "-Dcassandra.allow_alter_rf_during_range_movement"

_AUTH: Final = {
    "authenticator": "PasswordAuthenticator",
    "authorizer": "CassandraAuthorizer",
    "role_manager": "CassandraRoleManager",
}
_NO_AUTH: Final = {
    "authenticator": "AllowAllAuthenticator",
    "authorizer": "AllowAllAuthorizer",
    "role_manager": "CassandraRoleManager",
}
_DSE_PACKAGE: Final = "com.datastax.bdp.cassandra.auth"
_DSE_AUTH: Final = {
    "authenticator": f"{_DSE_PACKAGE}.DseAuthenticator",
    "authorizer": f"{_DSE_PACKAGE}.DseAuthorizer",
    "role_manager": f"{_DSE_PACKAGE}.DseRoleManager",
}
_DSE_YAML: Final = {
    "authentication_options": {"enabled": "true"},
    "authorization_options": {"enabled": "true"},
    "role_management_options": {"mode": "internal"},
}


def builder_config(
    config: Mapping[str, Any],
    *,
    server_type: str,
    version: str,
    auth: bool,
    system_replication: str | None,
    encryption: Mapping[str, Mapping[str, str]] | None = None,
    jvm_options: Sequence[str] = (),
) -> dict[str, Any]:
    """`spec.config` of the CassandraDatacenter.

    `system_replication` is the option with which the very first datacenter creates system_distributed, None
    for every other one; `encryption` and `jvm_options` say where key stores are.
    """
    old = is_old_cassandra(server_type, version)
    cassandra_yaml = dict(config.get("cassandraYaml") or {})
    for section, defaults in (encryption or {}).items():
        cassandra_yaml[section] = {**defaults, **cassandra_yaml.get(section, {})}
    for key, value in _auth_defaults(server_type, auth=auth).items():
        cassandra_yaml.setdefault(key, value)
    cassandra_yaml.setdefault("num_tokens", 256 if old else 16)
    if old:
        cassandra_yaml.setdefault("start_rpc", False)
    if server_type in ("dse", "hcd"):
        cassandra_yaml.setdefault("allocate_tokens_for_local_replication_factor", 3)
    sections: dict[str, Any] = builder_sections(
        config.get("jvmOptions"), server_type=server_type, version=version
    )
    _prepend(sections, jvm_options)
    if server_type in ("cassandra", "hcd"):
        extra = [system_replication] if system_replication else []
        if not old:
            extra.insert(0, f"{_RANGE_MOVEMENT_OPTION}=true")
        _prepend(sections, extra)
    sections["cassandra-yaml"] = cassandra_yaml
    dse_yaml = dict(config.get("dseYaml") or {})
    if server_type == "dse" and auth:
        for section, defaults in _DSE_YAML.items():
            given = dse_yaml.get(section, {})
            dse_yaml[section] = {**defaults, **given} if isinstance(given, dict) else given
    if dse_yaml:
        sections["dse-yaml"] = dse_yaml
    return sections


def system_replication_option(replication: Mapping[str, int]) -> str:
    """The JVM option that creates system_distributed with this replication."""
    factors = ",".join(f"{name}:{replication[name]}" for name in sorted(replication))
    return f"{SYSTEM_REPLICATION_OPTION}={factors}"


def existing_system_replication(spec: Mapping[str, Any]) -> str | None:
    """The option as a CassandraDatacenter carries it; it counts at the first start only and never changes."""
    options = ((spec.get("config") or {}).get(ENV_FILE) or {}).get(ADDITIONAL) or []
    return next((each for each in options if str(each).startswith(f"{SYSTEM_REPLICATION_OPTION}=")), None)


def _auth_defaults(server_type: str, *, auth: bool) -> Mapping[str, str]:
    if not auth:
        return _NO_AUTH
    return _DSE_AUTH if server_type == "dse" else _AUTH


def _prepend(sections: dict[str, Any], options: Sequence[str]) -> None:
    """Puts options before those of the user, which win: the last one of a name counts for the JVM."""
    section = sections.setdefault(ENV_FILE, {})
    given = list(section.get(ADDITIONAL, []))
    section[ADDITIONAL] = [*(each for each in options if each not in given), *given]
    if not section[ADDITIONAL]:
        del sections[ENV_FILE]
