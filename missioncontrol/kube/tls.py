"""TLS contexts for clients, from PEM bytes in memory.

OpenSSL through Python takes a client certificate only from files, so they exist for a moment in a private
folder and are gone before the context is used.
"""

from __future__ import annotations

import ssl
import tempfile
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
    # mkdtemp makes the folder with mode 0700; the files live for microseconds, on a file system in memory if
    # any.
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mc-tls-", dir=shm if shm.is_dir() else None) as folder:
        cert_file, key_file = Path(folder, "tls.crt"), Path(folder, "tls.key")
        cert_file.write_bytes(cert)
        key_file.touch(mode=0o600)
        key_file.write_bytes(key)
        # Never ask on a terminal for the pass phrase of an encrypted key.
        context.load_cert_chain(cert_file, key_file, password=lambda: b"")
