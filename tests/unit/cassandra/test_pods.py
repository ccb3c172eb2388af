"""The pod template where the user's template and the operator's parts meet."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.pod import pod_template
from controllers.cassandra.render.statefulset import statefulset
from missioncontrol.api.names import Annotation
from tests.unit.cassandra.builders import datacenter

Json = dict[str, Any]


def pod(dc: Datacenter) -> Json:
    spec: Json = pod_template(dc, dc.plan[0], ImageConfig())["spec"]
    return spec


def container(spec: Json, name: str) -> Json:
    everyone = [*spec["containers"], *spec["initContainers"]]
    return next(each for each in everyone if each["name"] == name)


def mounts(spec: Json, name: str) -> list[tuple[str, str]]:
    return [(each["name"], each["mountPath"]) for each in container(spec, name)["volumeMounts"]]


def with_template(*containers: Json, init: list[Json] | None = None, **spec: Any) -> Datacenter:
    template = {"spec": {"containers": list(containers), "initContainers": init or []}}
    return datacenter(podTemplateSpec=template, **spec)


def test_a_user_may_mount_one_volume_at_two_places() -> None:
    twice = [{"name": "extra", "mountPath": "/a"}, {"name": "extra", "mountPath": "/b", "subPath": "b"}]
    spec = pod(with_template({"name": "cassandra", "volumeMounts": twice}))
    assert mounts(spec, "cassandra") == [
        ("extra", "/a"),
        ("extra", "/b"),
        ("tmp", "/tmp"),
        ("etc-cassandra", "/etc/cassandra"),
        ("server-logs", "/var/log/cassandra"),
        ("server-data", "/var/lib/cassandra"),
        ("server-config", "/config"),
    ]


def test_an_additional_volume_wins_in_the_server_and_gives_way_in_the_logger() -> None:
    own = [{"name": "extra", "mountPath": "/mine"}]
    dc = with_template(
        {"name": "cassandra", "volumeMounts": own},
        {"name": "server-system-logger", "volumeMounts": own},
        storageConfig={
            "cassandraDataVolumeClaimSpec": {},
            "additionalVolumes": [
                {"name": "extra", "mountPath": "/theirs", "volumeSource": {"emptyDir": {}}}
            ],
        },
    )
    assert mounts(pod(dc), "cassandra")[0] == ("extra", "/theirs")
    assert mounts(pod(dc), "server-system-logger")[0] == ("extra", "/mine")


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([], ["server-config-init-base", "server-config-init"]),
        (["a"], ["a", "server-config-init-base", "server-config-init"]),
        (["server-config-init", "a"], ["server-config-init-base", "server-config-init", "a"]),
        (["a", "server-config-init"], ["a", "server-config-init-base", "server-config-init"]),
        (["server-config-init-base", "a"], ["server-config-init-base", "a", "server-config-init"]),
    ],
)
def test_init_containers_are_put_where_they_work(given: list[str], order: list[str]) -> None:
    dc = with_template(init=[{"name": name, "image": "i"} for name in given])
    assert [each["name"] for each in pod(dc)["initContainers"]] == order


def test_the_older_builder_of_dse_copies_first() -> None:
    dc = with_template(init=[{"name": "a", "image": "i"}], serverType="dse", serverVersion="6.8.17")
    assert [each["name"] for each in pod(dc)["initContainers"]] == [
        "server-config-init-base",
        "a",
        "server-config-init",
    ]


@pytest.mark.parametrize(
    ("version", "newer"),
    [
        ("4.0.11", False),
        ("4.1.0-beta1", False),
        ("4.1.0", True),
        ("4.1.0+build", True),
        ("5.0.0-rc1", True),
        ("5.0.2.1", False),
        ("x4.1.5", False),
    ],
)
def test_which_builder_a_version_gets(version: str, newer: bool) -> None:
    dc = datacenter(serverVersion=version)
    assert (dc.uses_client_builder, dc.read_only_root) == (newer, newer)


def test_a_logger_of_the_users_own_is_completed_even_where_ours_is_switched_off() -> None:
    spec = pod(with_template({"name": "server-system-logger"}, disableSystemLoggerSidecar=True))
    assert container(spec, "server-system-logger")["image"] == "ghcr.io/k8ssandra/system-logger:latest"
    assert "vector-lib" in {volume["name"] for volume in spec["volumes"]}
    alone = pod(datacenter(disableSystemLoggerSidecar=True))
    assert [each["name"] for each in alone["containers"]] == ["cassandra"]
    assert "vector-lib" not in {volume["name"] for volume in alone["volumes"]}


def test_certificates_for_the_management_api() -> None:
    manual = {"manual": {"clientSecretName": "client", "serverSecretName": "server"}}
    spec = pod(
        with_template(
            {"name": "side", "image": "s"},
            {"name": "cassandra", "livenessProbe": {"tcpSocket": {"port": 1}, "timeoutSeconds": 3}},
            managementApiAuth=manual,
        )
    )
    volume = "management-api-server-certs-volume"
    assert spec["volumes"][-1] == {"name": volume, "secret": {"secretName": "server"}}
    for each in spec["containers"]:
        assert each["volumeMounts"][-1] == {
            "name": volume,
            "readOnly": True,
            "mountPath": "/management-api-certs",
        }
    server = container(spec, "cassandra")
    assert [each["name"] for each in server["env"][:3]] == [
        "MGMT_API_TLS_CA_CERT_FILE",
        "MGMT_API_TLS_CERT_FILE",
        "MGMT_API_TLS_KEY_FILE",
    ]
    liveness, readiness = server["livenessProbe"], server["readinessProbe"]
    assert set(liveness) == {"exec", "timeoutSeconds"}
    assert liveness["exec"]["command"][-7:-2] == ["-m", "3", "-o", "/dev/null", "--show-error"]
    assert readiness["exec"]["command"][-1] == "https://localhost:8080/api/v0/probes/readiness"
    assert server["lifecycle"]["preStop"]["exec"]["command"][:6] == [
        "curl",
        "-X",
        "POST",
        "-s",
        "-k",
        "--cert",
    ]


def document(dc: Datacenter) -> Json:
    env = container(pod(dc), "server-config-init")["env"]
    found: Json = orjson.loads(next(each["value"] for each in env if each["name"] == "CONFIG_FILE_DATA"))
    return found


def test_change_data_capture() -> None:
    old = ["-Dkeep=1", "-javaagent:x=pulsarServiceUrl=y"]
    wanted = {"pulsarServiceUrl": "p", "cdcConcurrentProcessors": 4, "pulsarKeyBasedBatcher": True}
    dc = datacenter(cdc=wanted, config={"cassandra-env-sh": {"additional-jvm-opts": old, "malloc": 2}})
    found = document(dc)
    assert found["cassandra-yaml"] == {"cdc_enabled": True}
    assert found["cassandra-env-sh"] == {
        "malloc": 2,
        "additional-jvm-opts": [
            "-Dkeep=1",
            "-javaagent:/opt/metrics-collector/lib/datastax-mcac-agent.jar",
            "-javaagent:/opt/management-api/datastax-mgmtapi-agent.jar",
            "-javaagent:/opt/cdc_agent/cdc-agent.jar="
            "pulsarServiceUrl=p,cdcConcurrentProcessors=4,pulsarKeyBasedBatcher=true",
        ],
    }


def test_change_data_capture_without_the_metrics_agent() -> None:
    env = [{"name": "MGMT_API_DISABLE_MCAC", "value": "true"}]
    dc = with_template({"name": "cassandra", "env": env}, cdc={"pulsarServiceUrl": "p"})
    assert not any("mcac" in each for each in document(dc)["cassandra-env-sh"]["additional-jvm-opts"])


def test_configuration_from_a_secret_is_not_in_the_template() -> None:
    dc = datacenter(configSecret="mine", meta={"annotations": {Annotation.CONFIG_HASH: "h"}})
    env = container(pod(dc), "server-config-init")["env"][-2:]
    reference = {"name": "demo-dc1-config", "key": "config"}
    assert env == [
        {"name": "CONFIG_FILE_DATA", "valueFrom": {"secretKeyRef": reference}},
        {"name": "CONFIG_HASH", "value": "h"},
    ]


@pytest.mark.parametrize(("count", "partition"), [(None, 3), (0, 3), (1, 2), (3, 0), (4, 3)])
def test_a_canary_reaches_so_many_pods(count: int | None, partition: int) -> None:
    extra = {} if count is None else {"canaryUpgradeCount": count}
    dc = datacenter(canaryUpgrade=True, **extra)
    body = statefulset(dc, dc.plan[0], ImageConfig(), replicas=3)
    assert body["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": partition}


def test_a_canary_is_the_same_intent_for_any_number_of_nodes() -> None:
    dc = datacenter(canaryUpgrade=True, canaryUpgradeCount=1)
    hashes = {
        statefulset(dc, dc.plan[0], ImageConfig(), replicas=replicas)["metadata"]["annotations"][
            Annotation.RESOURCE_HASH
        ]
        for replicas in (0, 1, 2, 5)
    }
    assert len(hashes) == 1
