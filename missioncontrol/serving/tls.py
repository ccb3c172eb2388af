"""Server TLS whose certificate, key and client CAs change without a restart or a dropped connection.

The listener keeps one context for ever; at each handshake the present one takes its place. So not only
additions (which a context accepts in place) but also the removal of an old client CA works at once. There are
no session tickets: a resumed session would carry a verification by a CA that has been dropped since.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

from missioncontrol.kube.tls import load_cert_chain

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for."""


class ServerTLS:
    """The TLS of one listener: give it `context`, and run `watch` beside it."""

    def __init__(
        self,
        cert_file: Path,
        key_file: Path,
        *,
        client_ca: bytes | None = None,
        client_ca_file: Path | None = None,
        request_client_cert: bool | None = None,
        take_expired: bool = False,
        protocols: Sequence[str] = ("http/1.1",),
    ) -> None:
        """Raises OSError or ssl.SSLError when the first certificate cannot be used. Client certificates are
        asked for (not required, but verified where given) when a CA is given or `request_client_cert` is set.
        With `take_expired` the handshake leaves it to the application to judge their time, which can answer
        with an error that says so. The first of `protocols` that a client knows is spoken.
        """
        self._protocols = tuple(protocols)
        self._take_expired = take_expired
        self._cert_file, self._key_file, self._client_ca_file = cert_file, key_file, client_ca_file
        self._client_ca = client_ca
        self._ask = bool(client_ca or client_ca_file) if request_client_cert is None else request_client_cert
        self.reloads = 0
        self.failures = 0
        self._complaint = ""
        self._material = self._read()
        self._current = self._build(*self._material)
        self.context = self._build(*self._material)
        self.context.sni_callback = self._choose

    def set_client_ca(self, pem: bytes | None) -> None:
        """Trust these CAs for client certificates from the next handshake on; ssl.SSLError leaves all as it
        was.
        """
        before, self._client_ca = self._client_ca, pem
        try:
            self._current = self._build(*self._material)
        except (ssl.SSLError, ValueError):
            self._client_ca = before
            raise

    def reload(self) -> bool:
        """Read the files now; True when a new certificate is served. What cannot be used is logged, once, and
        not taken.
        """
        try:
            material = self._read()
            if material == self._material:
                self._complaint = ""
                return False
            self._current = self._build(*material)
        except (OSError, ssl.SSLError, ValueError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self.failures += 1
                log.warning("the new certificate in %s is not taken: %s", self._cert_file, error)
            return False
        self._material, self._complaint = material, ""
        self.reloads += 1
        log.info("serving the new certificate of %s", self._cert_file)
        return True

    async def watch(self, interval: float = POLL_SECONDS) -> None:
        """Reload whenever the files have changed, until cancelled. By reading them: a Secret's volume is
        swapped by symbolic links, which notifications miss easily, and three small files cost nothing.
        """
        while True:
            await asyncio.sleep(interval)
            self.reload()

    def _choose(self, connection: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _read(self) -> tuple[bytes, bytes, bytes]:
        ca = self._client_ca_file.read_bytes() if self._client_ca_file else b""
        return self._cert_file.read_bytes(), self._key_file.read_bytes(), ca

    def _build(self, cert: bytes, key: bytes, ca: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET
        # all ciphers that are left are good, and the client knows which one is cheapest for it
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.num_tickets = 0
        context.set_alpn_protocols(self._protocols)
        load_cert_chain(context, cert, key)
        if self._ask:
            context.verify_mode = ssl.CERT_OPTIONAL
        if self._take_expired:
            context.verify_flags |= _NO_CHECK_TIME
        for pem in (self._client_ca, ca):
            if pem:
                context.load_verify_locations(cadata=pem.decode("ascii"))
        return context
