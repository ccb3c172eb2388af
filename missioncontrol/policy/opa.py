"""The engine that asks an OPA server, with a deadline of our own and a bound on what asks at once.

The client library has a fixed time-out and retries of its own; both are overridden here, for an admission
request has one budget for everything.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from opa_client import AsyncOpaClient

from missioncontrol.kube.connector import Connector
from missioncontrol.policy.engine import Decision, PolicyInput, PolicyUnavailable, read_decision

PACKAGE: Final = "missioncontrol.admission"
RULE: Final = "decision"
CONCURRENCY: Final = 16
LONGEST: Final = 10.0
_STRICT: Final = {"strict-builtin-errors": "true"}
"""Without it a built-in function that fails makes its rule undefined, which would look like consent."""


class OpaEngine:
    """Asks an OPA server at a plain HTTP address on the same machine. An async context manager."""

    def __init__(self, url: str, *, concurrency: int = CONCURRENCY) -> None:
        """Raises ValueError for an address that is not http://HOST:PORT."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.port is None or parts.path not in ("", "/"):
            raise ValueError(f"{url!r} is not http://HOST:PORT")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._client = AsyncOpaClient(host=host, port=parts.port, retries=0, timeout=LONGEST)
        self._slots = asyncio.Semaphore(concurrency)
        self.url = url

    async def __aenter__(self) -> Self:
        # the library's own session would connect in aiohttp's way
        self._client._session = aiohttp.ClientSession(
            connector=Connector(),
            headers=self._client.headers,
            timeout=aiohttp.ClientTimeout(total=LONGEST),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close_connection()

    async def decide(self, question: PolicyInput, *, timeout: float) -> Decision:
        """Ask for the decision; see PolicyEngine."""
        try:
            async with asyncio.timeout(timeout), self._slots:
                answer = await self._ask(question)
        except TimeoutError as error:
            raise PolicyUnavailable(f"the policy engine did not answer within {timeout:.1f} s") from error
        except aiohttp.ClientResponseError as error:
            raise PolicyUnavailable(f"the policy engine failed with HTTP status {error.status}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise PolicyUnavailable("the policy engine cannot be reached") from error
        except ValueError as error:
            raise PolicyUnavailable("the policy engine's answer is not JSON") from error
        return read_decision(answer)

    async def _ask(self, question: PolicyInput) -> Any:
        body = await self._client.query_rule(dict(question), PACKAGE, RULE, query_params=_STRICT)
        return body.get("result") if isinstance(body, dict) else None
