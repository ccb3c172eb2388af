"""Ask a server on this machine whether it is ready, and wait until it says so."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from missioncontrol.local import processes
from missioncontrol.local.errors import LocalError
from missioncontrol.local.processes import Identity

_INTERVAL = 0.05


class NotReadyError(LocalError):
    """A server ended or did not become ready; the message says which and where its log lies."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A URL that answers 200 when its server is ready. `ca` is needed for https."""

    url: str
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None


class Prober:
    """Asks one probe again and again, its TLS context made only once."""

    def __init__(self, probe: Probe) -> None:
        self._url = urlsplit(probe.url)
        self._context: ssl.SSLContext | None = None
        if self._url.scheme == "https":
            self._context = ssl.create_default_context(cafile=str(probe.ca))
            if probe.client_cert is not None:
                self._context.load_cert_chain(probe.client_cert, probe.client_key)

    def answer(self, timeout: float = 2.0) -> str | None:
        """None if the server is ready, else what it said or why it could not be asked."""
        host, port = self._url.hostname or "127.0.0.1", self._url.port or 0
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            path = f"{self._url.path}?{self._url.query}" if self._url.query else self._url.path
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read(4096).decode("utf-8", errors="replace")
            return None if response.status == 200 else f"{response.status}: {body.strip()}"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()


def wait_ready(name: str, probe: Probe, process: Identity, *, log: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    prober = Prober(probe)
    while True:
        said = prober.answer()
        if said is None:
            return
        if not processes.is_running(process):
            processes.reap(process.pid)
            raise NotReadyError(f"{name} ended while it was starting; its log is {log}{tail(log)}")
        if time.monotonic() > deadline:
            raise NotReadyError(f"{name} is not ready after {timeout:.0f} s ({said}); its log is {log}")
        time.sleep(_INTERVAL)


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, indented, to be put behind an error."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 8192))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(f"\n    {line[:300]}" for line in text.splitlines()[-lines:])


def accepts_connections(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False
