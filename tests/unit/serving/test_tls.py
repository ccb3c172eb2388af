"""Certificates and client CAs that change under a running listener."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509

from missioncontrol.kube.tls import client_context
from missioncontrol.pki.ca import Authority, Leaf, Usage, bundle, fingerprint, issue, new_ca
from missioncontrol.pki.files import save, write_private
from missioncontrol.serving.tls import ServerTLS
from tests.waiting import until

NOW = datetime.now(UTC)


def ca(name: str) -> Authority:
    return new_ca(name, now=NOW, lifetime=timedelta(days=1))


def leaf(authority: Authority, name: str, usage: Usage = Usage.SERVER) -> Leaf:
    return issue(
        authority, common_name=name, ip_names=["127.0.0.1"], dns_names=["localhost"],
        usages=[usage], now=NOW, lifetime=timedelta(hours=1),
    )  # fmt: skip


SERVER_CA = ca("server")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    pair = tmp_path / "tls.crt", tmp_path / "tls.key"
    save(leaf(SERVER_CA, "first"), *pair)
    return pair


@asynccontextmanager
async def serving(tls: ServerTLS) -> AsyncIterator[int]:
    """An aiohttp server that answers with the name in the client's certificate."""

    async def who(request: web.Request) -> web.Response:
        assert request.transport is not None
        given = request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        name = x509.load_der_x509_certificate(given).subject.rfc4514_string() if given else "nobody"
        return web.Response(text=name)

    app = web.Application()
    app.router.add_get("/", who)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def ask(port: int, client: Leaf | None = None, *, name: str | None = "localhost") -> tuple[str, str]:
    """What the server says, and the fingerprint of its certificate, over a new connection."""
    context = client_context(
        ca=SERVER_CA.cert_pem,
        client_cert=client.cert_pem if client else None,
        client_key=client.key_pem if client else None,
        verify=True,
    )
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name or "127.0.0.1"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    if not answer:
        raise ConnectionError("the server closed the connection")
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    return answer.rsplit(b"\r\n", 1)[1].decode(), fingerprint(pem)


@pytest.mark.parametrize("name", ["localhost", None], ids=["with a server name", "by address, without one"])
async def test_a_new_certificate_is_served_and_old_connections_live_on(
    files: tuple[Path, Path], name: str | None
) -> None:
    tls = ServerTLS(*files)
    async with serving(tls) as port:
        _, before = await ask(port, name=name)
        context = client_context(ca=SERVER_CA.cert_pem, client_cert=None, client_key=None, verify=True)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        second = leaf(SERVER_CA, "second")
        save(second, *files)
        assert tls.reload()
        _, after = await ask(port, name=name)
        assert before != after == second.fingerprint
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"nobody" in await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_changes_of_the_files_are_noticed_without_being_told(files: tuple[Path, Path]) -> None:
    tls = ServerTLS(*files)
    watching = asyncio.create_task(tls.watch(interval=0.02))
    save(leaf(SERVER_CA, "second"), *files)
    await until(lambda: tls.reloads == 1)
    watching.cancel()


BROKEN = {"junk": b"junk", "empty": b"", "another's certificate": leaf(SERVER_CA, "x").cert_pem}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_what_cannot_be_used_is_not_taken(files: tuple[Path, Path], content: bytes) -> None:
    tls = ServerTLS(*files)
    async with serving(tls) as port:
        _, before = await ask(port)
        write_private(files[0], content)
        assert not tls.reload()
        os.unlink(files[0])
        assert not tls.reload()
        assert tls.failures == 2
        assert (await ask(port))[1] == before


def test_a_first_certificate_that_cannot_be_used_is_an_error(files: tuple[Path, Path]) -> None:
    write_private(files[0], b"junk")
    with pytest.raises(ssl.SSLError):
        ServerTLS(*files)


async def test_client_cas_are_added_and_removed_without_a_restart(files: tuple[Path, Path]) -> None:
    old, new = ca("old"), ca("new")
    old_client, new_client = leaf(old, "o", Usage.CLIENT), leaf(new, "n", Usage.CLIENT)
    tls = ServerTLS(*files, client_ca=old.cert_pem)
    async with serving(tls) as port:
        assert (await ask(port))[0] == "nobody"
        assert (await ask(port, old_client))[0] == "CN=o"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, new_client)
        tls.set_client_ca(bundle(old, new))
        assert (await ask(port, old_client))[0] == "CN=o"
        assert (await ask(port, new_client))[0] == "CN=n"
        tls.set_client_ca(new.cert_pem)
        assert (await ask(port, new_client))[0] == "CN=n"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, old_client)
        with pytest.raises((ssl.SSLError, ValueError)):
            tls.set_client_ca(b"junk")
        assert (await ask(port, new_client))[0] == "CN=n"


async def test_a_certificate_for_servers_does_not_make_a_client(files: tuple[Path, Path]) -> None:
    tls = ServerTLS(*files, client_ca=SERVER_CA.cert_pem)
    async with serving(tls) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, leaf(SERVER_CA, "s", Usage.SERVER))


async def test_sessions_are_not_resumed(files: tuple[Path, Path]) -> None:
    tls = ServerTLS(*files)
    context = client_context(ca=SERVER_CA.cert_pem, client_cert=None, client_key=None, verify=True)
    async with serving(tls) as port:

        def handshake() -> bool:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as secured,
            ):
                secured.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while secured.recv(4096):
                    pass
                return bool(secured.session and secured.session.has_ticket)

        assert await asyncio.to_thread(handshake) is False


AES_128, AES_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("liked", [(AES_128, AES_256), (AES_256, AES_128)])
async def test_the_client_says_which_cipher_it_likes_best(
    files: tuple[Path, Path], liked: tuple[str, str]
) -> None:
    context = client_context(ca=SERVER_CA.cert_pem, client_cert=None, client_key=None, verify=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # of TLS 1.3 Python cannot say it
    context.set_ciphers(":".join(liked))
    async with serving(ServerTLS(*files)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        cipher, _, _ = writer.get_extra_info("cipher")
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert cipher == liked[0]
