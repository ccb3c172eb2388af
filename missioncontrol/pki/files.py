"""Certificates and keys as files: written whole or not at all, readable by their owner only.

`save` refuses a pair that could not work, so that a reader of the files never meets one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from missioncontrol.pki.ca import Authority, CertificateError, Leaf, check


def save(pair: Leaf | Authority, cert_file: Path, key_file: Path, *, now: datetime | None = None) -> None:
    """Write certificate and key after checking them. A reader between the two sees a pair that does not fit,
    and keeps what it had.
    """
    check(pair, now=now or datetime.now(UTC))
    write_private(key_file, pair.key_pem)
    write_private(cert_file, pair.cert_pem)


def load_ca(cert_file: Path, key_file: Path, *, now: datetime | None = None) -> Authority:
    """A CA from its files; CertificateError when they are missing or cannot work."""
    authority = Authority(_read(cert_file), _read(key_file))
    check(authority, now=now or datetime.now(UTC))
    return authority


def load_leaf(cert_file: Path, key_file: Path, *, now: datetime | None = None) -> Leaf:
    """A leaf from its files; CertificateError when they are missing or cannot work."""
    leaf = Leaf(_read(cert_file), _read(key_file))
    check(leaf, now=now or datetime.now(UTC))
    return leaf


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file atomically; it is never seen half written, nor with wider rights than `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error
