"""Certificates for the management API in a pod, where the spec names Secrets with them.

The kubelet's own HTTP probes have no client certificate, so that the probes become commands in the
container, which has one.
"""

from __future__ import annotations

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter
from controllers.cassandra.render.parts import Json, value
from controllers.cassandra.render.probes import (
    CA_FILE,
    CERTIFICATE_FILE,
    CERTIFICATES,
    HANDLERS,
    KEY_FILE,
    LIVENESS,
    READINESS,
    curl,
)

VOLUME = "management-api-server-certs-volume"
PROBE_SECONDS = 10


def with_certificates(spec: Json, datacenter: Datacenter) -> Json:
    """A pod's spec with the server's certificates, if the datacenter has any."""
    auth = datacenter.spec.management_api_auth
    if auth is None or auth.manual is None:
        return spec
    volume = {"name": VOLUME, "secret": {"secretName": auth.manual.server_secret_name}}
    containers = [_container(container, datacenter) for container in spec["containers"]]
    return {**spec, "volumes": [*spec["volumes"], volume], "containers": containers}


def _container(container: Json, datacenter: Datacenter) -> Json:
    own = {"name": VOLUME, "readOnly": True, "mountPath": CERTIFICATES}
    found = {**container, "volumeMounts": [*(container.get("volumeMounts") or ()), own]}
    if container["name"] != CASSANDRA_CONTAINER:
        return found
    env = [
        value("MGMT_API_TLS_CA_CERT_FILE", CA_FILE),
        value("MGMT_API_TLS_CERT_FILE", CERTIFICATE_FILE),
        value("MGMT_API_TLS_KEY_FILE", KEY_FILE),
    ]
    found["env"] = [*env, *(container.get("env") or ())]
    port = datacenter.management_port
    for name, path in (("livenessProbe", LIVENESS), ("readinessProbe", READINESS)):
        probe = {key: each for key, each in found[name].items() if key not in HANDLERS}
        seconds = int(probe.get("timeoutSeconds") or PROBE_SECONDS)
        found[name] = {**probe, "exec": curl("GET", path, port, seconds=seconds, secured=True)}
    return found
