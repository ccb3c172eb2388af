"""What tests of the server's connections share."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from missioncontrol.pki.ca import Usage, issue
from missioncontrol.pki.files import save
from missioncontrol.serving.tls import ServerTLS
from tests.unit.apiserver.http2_client import CA, DAY, NOW


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    leaf = issue(
        CA, common_name="x", usages=[Usage.SERVER], ip_names=["127.0.0.1"], now=NOW, lifetime=DAY / 2
    )
    save(leaf, folder / "tls.crt", folder / "tls.key")
    return ServerTLS(folder / "tls.crt", folder / "tls.key", protocols=("h2", "http/1.1")).context
