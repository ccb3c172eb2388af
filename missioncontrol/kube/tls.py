"""TLS contexts for clients, from PEM bytes in memory.

OpenSSL through Python takes a client certificate only from files. They have no name in any file system where
the kernel can do that (a process that is killed leaves no key behind), and else live for a moment in a
private folder.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def client_context(
    *, ca: bytes | None, client_cert: bytes | None, client_key: bytes | None, verify: bool
) -> ssl.SSLContext:
    """A context that trusts `ca` (None: the system); ssl.SSLError or ValueError on unusable material."""
    if ca is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        except UnicodeDecodeError as error:
            raise ValueError("the CA bundle is not PEM text") from error
        if not context.get_ca_certs():
            raise ValueError("the CA bundle holds no CA certificate")
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert is not None and client_key is not None:
        load_cert_chain(context, client_cert, client_key)
    return context


def load_cert_chain(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Give a context its certificate and key from memory."""
    with _nameless(cert) as cert_file, _nameless(key) as key_file:
        # Never ask on a terminal for the pass phrase of an encrypted key.
        context.load_cert_chain(cert_file, key_file, password=lambda: b"")


@contextmanager
def _nameless(content: bytes) -> Iterator[Path]:
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory(prefix="mc-tls-") as folder:  # mode 0700
            file = Path(folder, "pem")
            file.touch(mode=0o600)
            file.write_bytes(content)
            yield file
        return
    descriptor = os.memfd_create("mc-tls")
    with os.fdopen(descriptor, "wb", buffering=0) as memory:
        memory.write(content)
        yield Path(f"/proc/self/fd/{descriptor}")
