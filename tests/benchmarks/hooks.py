"""Admission webhooks that allow everything, the same for both arms of a comparison."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from missioncontrol.api.resources import Resource
from missioncontrol.local.ports import free_port
from tests.installing import server_certificate
from tests.waiting import eventually

Obj = dict[str, Any]


class Hooks:
    """A process that answers reviews."""

    def __init__(self, folder: Path) -> None:
        # one of its own: a server notices when other certificates are written over its own
        folder.mkdir()
        self._ca = server_certificate(folder, "hooks")
        self._cert, self._key = folder / "tls.crt", folder / "tls.key"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        argv = [
            sys.executable,
            "-m",
            "tests.benchmarks.hooks",
            str(self.port),
            str(self._cert),
            str(self._key),
        ]
        self._process = subprocess.Popen(argv, cwd=Path(__file__).parents[2])
        eventually(self._listens, "the webhooks listen")
        return self

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def configurations(self, kinds: list[Resource]) -> list[Obj]:
        """A mutating and a validating configuration for these kinds."""
        return [
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": "benchmark"},
                "webhooks": [
                    {
                        "name": f"{kind.lower()}.benchmark.example.com",
                        "clientConfig": {
                            "url": f"https://127.0.0.1:{self.port}/review",
                            "caBundle": base64.b64encode(self._ca).decode(),
                        },
                        "rules": [
                            {
                                "apiGroups": [each.group],
                                "apiVersions": ["*"],
                                "operations": ["CREATE", "UPDATE"],
                                "resources": [each.plural],
                            }
                            for each in kinds
                        ],
                        "sideEffects": "None",
                        "admissionReviewVersions": ["v1"],
                    }
                ],
            }
            for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        ]


def _serve(port: int, cert: str, key: str) -> None:
    import orjson
    import uvloop
    from aiohttp import web

    async def review(request: web.BaseRequest) -> web.Response:
        uid = orjson.loads(await request.read())["request"]["uid"]
        answer = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": uid, "allowed": True},
        }
        return web.json_response(answer)

    async def run() -> None:
        import asyncio

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        runner = web.ServerRunner(web.Server(review, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        await asyncio.Event().wait()

    uvloop.run(run())


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
