"""Image configuration files, in upstream's present format and the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from controllers.cassandra.image_source import KEY, ImageSource
from controllers.cassandra.render.image_config import BadImageConfig, read_image_config
from controllers.cassandra.render.images import (
    CONFIG_BUILDER,
    K8SSANDRA_CLIENT,
    SYSTEM_LOGGER,
    ImageConfig,
    UnknownServerType,
)
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap, Meta
from tests.unit.cassandra.builders import datacenter


def current(**members: Any) -> ImageConfig:
    document = {"apiVersion": "config.k8ssandra.io/v1beta2", "kind": "ImageConfig", **members}
    return read_image_config(yaml.safe_dump(document), source="test")


def previous(**members: Any) -> ImageConfig:
    document = {"apiVersion": "config.k8ssandra.io/v1beta1", "kind": "ImageConfig", **members}
    return read_image_config(yaml.safe_dump(document), source="test")


def test_what_a_file_leaves_out_has_the_default() -> None:
    table = current(defaults={"registry": "docker.io", "pullPolicy": "IfNotPresent"})
    assert table == ImageConfig()
    assert table.server(datacenter()) == "ghcr.io/k8ssandra/cass-management-api:5.0.4-ubi"
    assert (
        table.server(datacenter(serverType="hcd", serverVersion="1.2.3"))
        == "docker.io/datastax/hcd:1.2.3-ubi"
    )


@pytest.mark.parametrize(
    ("members", "image"),
    [
        pytest.param(
            {"images": {SYSTEM_LOGGER: {"name": "log", "tag": "1"}}},
            "log:1",
            id="neither registry nor default",
        ),
        pytest.param(
            {
                "images": {SYSTEM_LOGGER: {"name": "log", "tag": "1", "repository": "r"}},
                "defaults": {"registry": "d"},
            },
            "d/r/log:1",
            id="a default",
        ),
        pytest.param(
            {"images": {SYSTEM_LOGGER: {"name": "log", "tag": "1", "digest": "sha256:ab"}}},
            "log@sha256:ab",
            id="a digest wins over the tag",
        ),
        pytest.param(
            {"images": {SYSTEM_LOGGER: {"name": "log", "tag": "sha256:ab"}}},
            "log@sha256:ab",
            id="a digest as tag",
        ),
        pytest.param(
            {
                "images": {SYSTEM_LOGGER: {"registry": "a", "repository": "b", "name": "log", "tag": "1"}},
                "overrides": {"registry": "o", "repository": ""},
            },
            "o/log:1",
            id="an empty override removes that part",
        ),
    ],
)
def test_images_of_the_present_format(members: dict[str, Any], image: str) -> None:
    assert current(**members).image(SYSTEM_LOGGER) == image


def test_server_types_of_the_present_format() -> None:
    table = current(types={"cassandra": {"registry": "r", "name": "c", "prefix": "p-", "suffix": "-s"}})
    assert table.server(datacenter()) == "r/c:p-5.0.4-s"
    assert table.server(datacenter(serverImage="mine:1")) == "mine:1"
    with pytest.raises(UnknownServerType, match=r"spec\.serverType: .* 'dse'"):
        table.server(datacenter(serverType="dse", serverVersion="6.8.17"))


def test_pull_policies() -> None:
    table = current(
        types={"cassandra": {"name": "c", "pullPolicy": "Always"}},
        images={SYSTEM_LOGGER: {"name": "l", "pullPolicy": "Never"}},
        defaults={"pullPolicy": "IfNotPresent"},
    )
    assert [table.pull_policy(each) for each in ("cassandra", SYSTEM_LOGGER, CONFIG_BUILDER)] == [
        "Always",
        "Never",
        "IfNotPresent",
    ]


def test_pull_secrets_are_those_of_the_images_that_a_pod_has() -> None:
    table = current(
        defaults={"pullSecrets": ["all"]},
        types={"cassandra": {"name": "c", "pullSecret": "server"}, "hcd": {"name": "h", "pullSecret": "hcd"}},
        images={K8SSANDRA_CLIENT: {"name": "k", "tag": "1", "pullSecret": "client"}},
    )
    assert table.pull_secrets(datacenter()) == [{"name": "all"}, {"name": "server"}, {"name": "client"}]
    replaced = current(
        defaults={"pullSecrets": ["all"]},
        types={"cassandra": {"pullSecret": "x"}},
        overrides={"pullSecrets": []},
    )
    assert replaced.pull_secrets(datacenter()) == []


def test_the_previous_format() -> None:
    table = previous(
        imageRegistry="mirror.local/",
        imagePullSecret={"name": "all"},
        imagePullPolicy="Always",
        images={
            "system-logger": "ghcr.io/k8ssandra/system-logger:9",
            "cassandra": {"4.0.0": "me/special:4"},
        },
        defaults={
            "dse": {"repository": "d/dse", "suffix": "-x", "imageRegistry": "own.io"},
            "k8ssandra-client": {"imagePullPolicy": "Never", "imagePullSecret": {"name": "client"}},
        },
    )
    assert table.image(SYSTEM_LOGGER) == "mirror.local/k8ssandra/system-logger:9"
    assert table.server(datacenter(serverVersion="4.0.0")) == "mirror.local/me/special:4"
    assert table.server(datacenter()) == "mirror.local/k8ssandra/cass-management-api:5.0.4"
    assert table.server(datacenter(serverType="dse", serverVersion="6.8.1")) == "own.io/d/dse:6.8.1-x"
    assert table.pull_policy(K8SSANDRA_CLIENT) == "Never"
    assert table.pull_policy("cassandra") == "Always"
    assert table.pull_secrets(datacenter()) == [{"name": "all"}, {"name": "client"}]


def test_a_namespace_replaces_the_first_part_of_a_repository() -> None:
    logger = {"images": {"system-logger": "ghcr.io/k8ssandra/system-logger:9"}}
    assert previous(imageNamespace="n", **logger).image(SYSTEM_LOGGER) == "ghcr.io/n/system-logger:9"
    assert previous(imageNamespace="", **logger).image(SYSTEM_LOGGER) == "ghcr.io/system-logger:9"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "the file is not YAML"),
        ("kind: Other", "the file is no ImageConfig"),
        ("kind: ImageConfig\napiVersion: config.k8ssandra.io/v9", "v9"),
        ("kind: ImageConfig\napiVersion: config.k8ssandra.io/v1beta2\nimages: 3", "images: "),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(BadImageConfig, match=why):
        read_image_config(text, source="the file")


HEAD = "apiVersion: config.k8ssandra.io/v1beta2\nkind: ImageConfig\n"


class ConfigMaps:
    """What an informer would know."""

    def __init__(self, *known: ConfigMap) -> None:
        self.known = known

    def all(self) -> tuple[ConfigMap, ...]:
        return self.known


def config_map(version: str, text: str) -> ConfigMap:
    return ConfigMap(Meta(name="images", namespace="system", resource_version=version), {KEY: text})


def test_an_unreadable_config_map_does_not_change_what_runs() -> None:
    found = ConfigMaps()
    source = ImageSource(cast("Informer[ConfigMap]", found))
    assert source.current() == ImageConfig()
    found.known = (config_map("1", f"{HEAD}types: {{cassandra: {{name: mine}}}}"),)
    assert source.current().server(datacenter()) == "mine:5.0.4"
    found.known = (config_map("2", "nonsense"),)
    assert source.current().server(datacenter()) == "mine:5.0.4"
    found.known = ()
    assert source.current() == ImageConfig()


def test_a_file_wins_over_config_maps(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(
        "apiVersion: config.k8ssandra.io/v1beta2\nkind: ImageConfig\ndefaults: {pullPolicy: Never}"
    )
    source = ImageSource(cast("Informer[ConfigMap]", ConfigMaps()), file)
    assert source.current().pull_policy("cassandra") == "Never"
    file.write_text("nonsense")
    with pytest.raises(BadImageConfig):
        ImageSource(cast("Informer[ConfigMap]", ConfigMaps()), file)
