"""Certificates for the management API: what Secrets must hold, and a call that shows one."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from controllers.cassandra.management import ManagementApi, NodeUnreachable
from missioncontrol.pki.ca import Authority, Usage, issue, new_ca
from missioncontrol.pki.mutual import CA, CERTIFICATE, KEY, UnusableCertificates, check_pair, client_context
from tests.unit.cassandra.builders import pod

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def secret(signed_by: Authority, trusts: Authority) -> dict[str, bytes]:
    leaf = issue(
        signed_by,
        dns_names=["node"],
        ip_names=[],
        common_name="node",
        usages=[Usage.SERVER, Usage.CLIENT],
        now=NOW,
        lifetime=DAY,
    )
    return {CA: trusts.cert_pem, CERTIFICATE: leaf.cert_pem, KEY: leaf.key_pem}


FIRST, OTHER = (new_ca(name, now=NOW, lifetime=DAY) for name in ("first", "other"))


def test_secrets_that_fit_each_other() -> None:
    check_pair("client", secret(FIRST, FIRST), "server", secret(FIRST, FIRST))
    check_pair("client", secret(FIRST, OTHER), "server", secret(OTHER, FIRST))


@pytest.mark.parametrize(
    ("client", "server", "why"),
    [
        (secret(FIRST, FIRST), secret(OTHER, FIRST), r"tls\.crt in the Secret server is not signed by"),
        (secret(OTHER, FIRST), secret(FIRST, FIRST), r"tls\.crt in the Secret client is not signed by"),
        (
            {**secret(FIRST, FIRST), KEY: secret(FIRST, FIRST)[KEY]},
            secret(FIRST, FIRST),
            "in the Secret client do not belong together",
        ),
        (
            {**secret(FIRST, FIRST), KEY: b"nothing"},
            secret(FIRST, FIRST),
            r"tls\.key in the Secret client is no unencrypted private key",
        ),
        (
            secret(FIRST, FIRST),
            {**secret(FIRST, FIRST), CERTIFICATE: b"nothing"},
            r"tls\.crt in the Secret server holds no certificate",
        ),
    ],
)
def test_secrets_that_do_not_fit(client: dict[str, bytes], server: dict[str, bytes], why: str) -> None:
    with pytest.raises(UnusableCertificates, match=why):
        check_pair("client", client, "server", server)


async def serve(folder: Path, content: Mapping[str, bytes]) -> tuple[web.AppRunner, int]:
    """A management API that wants to see a certificate."""
    for name, data in content.items():
        (folder / name).write_bytes(data)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / CA)
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    context.verify_mode = ssl.CERT_REQUIRED

    async def features(request: web.Request) -> web.Response:
        return web.json_response({"features": ["rebuild"]})

    app = web.Application()
    app.router.add_get("/api/v0/metadata/versions/features", features)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    return runner, int(runner.addresses[0][1])


async def test_calls_show_a_certificate_and_check_the_nodes(tmp_path: Path) -> None:
    runner, port = await serve(tmp_path, secret(FIRST, OTHER))
    node = pod(1, ip="127.0.0.1")
    try:
        async with aiohttp.ClientSession() as session:
            plain = ManagementApi(session)
            own = secret(OTHER, FIRST)
            known = plain.secured(client_context(own[CA], own[CERTIFICATE], own[KEY]))
            assert await known.features(node, port=port) == frozenset({"rebuild"})
            wrong = secret(FIRST, OTHER)
            stranger = plain.secured(client_context(wrong[CA], wrong[CERTIFICATE], wrong[KEY]))
            for refused in (plain, stranger):
                with pytest.raises(NodeUnreachable):
                    await refused.features(node, port=port)
    finally:
        await runner.cleanup()


def test_a_context_of_nonsense_says_so() -> None:
    own = secret(FIRST, FIRST)
    with pytest.raises(UnusableCertificates, match="the certificates are not usable"):
        client_context(own[CA], b"nothing", own[KEY])
