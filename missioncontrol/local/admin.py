"""A small blocking client for the API of a local control plane, as its administrator.

The environment is set up by threads (one for each plane) before any of our servers runs; for that a
connection and JSON are enough, and a command that starts fast is worth more than a full client.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from missioncontrol.local.credentials import KeyPair
from missioncontrol.local.errors import LocalError

JsonObject = dict[str, Any]

REQUEST_SECONDS = 45.0
"""Several kube-apiservers that start on two processors at once take their time over a large definition."""
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml"


class AdminError(LocalError):
    """The API answered with an error, or could not be asked (then `status` is 0)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class AdminClient:
    """One connection, used by one thread at a time; opened when needed, and again when it broke."""

    def __init__(
        self,
        server: str,
        *,
        ca: Path,
        client: KeyPair | None = None,
        token: str | None = None,
        timeout: float = REQUEST_SECONDS,
    ) -> None:
        self._url = urlsplit(server)
        self._context = ssl.create_default_context(cafile=str(ca))
        if client is not None:
            self._context.load_cert_chain(client.cert, client.key)
        self._headers = {"User-Agent": "missioncontrol-local"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._connection: http.client.HTTPSConnection | None = None

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> JsonObject:
        """The decoded answer; an answer of 400 and above is raised as AdminError."""
        status, raw = self._exchange(
            method,
            f"{path}?{urlencode(query)}" if query else path,
            None if body is None else json.dumps(body).encode(),
            {**self._headers, "Accept": accept, **({} if body is None else {"Content-Type": content_type})},
        )
        document: JsonObject
        try:
            document = json.loads(raw)
        except ValueError:
            document = {"message": raw.decode("utf-8", errors="replace").strip()}
        if status >= 400:
            message = document.get("message") or f"HTTP {status}"
            raise AdminError(status, str(document.get("reason", "")), f"{method} {path}: {message}")
        return document

    def get(self, path: str) -> JsonObject:
        return self.request("GET", path)

    def find(self, path: str, *, metadata_only: bool = False) -> JsonObject | None:
        """As `get`, but None for what does not exist."""
        try:
            return self.request("GET", path, accept=_METADATA if metadata_only else _JSON)
        except AdminError as error:
            if error.status == 404:
                return None
            raise

    def apply(
        self, path: str, body: JsonObject, *, field_manager: str = "missioncontrol-local"
    ) -> JsonObject:
        """Server-side apply; `path` is that of the object."""
        query = {"fieldManager": field_manager, "force": "true"}
        return self.request("PATCH", path, body, query=query, content_type=_APPLY)

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        body: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        if labels:
            body["metadata"]["labels"] = dict(labels)
        self.apply(f"/api/v1/namespaces/{quote(name)}", body)

    def issue_token(self, namespace: str, service_account: str, *, lifetime: int) -> str:
        """A token of a ServiceAccount, valid for `lifetime` seconds, through the TokenRequest API."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": lifetime},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        return str(self.request("POST", path, body)["status"]["token"])

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        # A connection that the server closed while it was idle fails at the first use: once more, on a
        # new one. Everything sent here may be repeated (reads, server-side apply, token requests).
        deadline = time.monotonic() + self._timeout
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    self._url.hostname or "127.0.0.1",
                    self._url.port or 443,
                    timeout=self._timeout,
                    context=self._context,
                )
            try:
                self._connection.request(method, path, body=body, headers=dict(headers))
                _no_delay(self._connection)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 2 or time.monotonic() > deadline:
                    raise AdminError(
                        0, "Unreachable", f"{method} {path}: {error or type(error).__name__}"
                    ) from error
        raise AssertionError("unreachable")


def _no_delay(connection: http.client.HTTPSConnection) -> None:
    if connection.sock is not None:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
