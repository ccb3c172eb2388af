"""Who is asking: the front proxy's word, a client certificate, a bearer token, or nobody.

The first that applies decides. Headers that name a user count only together with a front proxy's
certificate; credentials that are wrong are an error and never fall back to anonymous.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from apiserver import trust as trusting
from apiserver import websocket
from apiserver.cache import TimedCache
from apiserver.identity import ANONYMOUS, User, completed
from apiserver.reviews import Observe, review
from apiserver.status import unauthorized
from apiserver.trust import Trust
from missioncontrol.api.resources import TOKEN_REVIEWS
from missioncontrol.kube.client import Client

TOKEN_SECONDS = 10.0
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class Authenticator:
    """Finds the user of a request."""

    def __init__(
        self,
        client: Client,
        trust: Callable[[], Trust],
        *,
        observe: Observe = lambda code, seconds: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._trust = trust
        self._observe = observe
        self._now = now
        # keyed by hash, so that no token lies around in memory longer than its request
        self._tokens: TimedCache[bytes, User | None] = TimedCache(
            seconds=TOKEN_SECONDS, limit=4096, clock=time.monotonic
        )

    def known(self, headers: CIMultiDictProxy[str], certificate: bytes | None) -> User | None:
        """The user, where nobody has to be asked; None where a token has to be; 401 for bad credentials."""
        trust = self._trust()
        if certificate is not None:
            now = self._now()
            if trusting.is_front_proxy(trust, certificate, now):
                user = proxied_user(trust, headers)
                if user is not None:
                    return completed(user)
            if trusting.is_client(trust, certificate, now):
                return completed(_certified_user(certificate))
        if _bearer(headers):
            return None
        if certificate is not None:
            # whoever shows a certificate that is not good does not pass for somebody without any
            raise unauthorized()
        return ANONYMOUS

    async def authenticate(self, headers: CIMultiDictProxy[str], certificate: bytes | None) -> User:
        """The user; 401 for credentials that are not valid, 503 when they cannot be judged now."""
        known = self.known(headers, certificate)
        return known if known is not None else completed(await self._by_token(_bearer(headers)))

    async def _by_token(self, token: str) -> User:
        key = hashlib.sha256(token.encode()).digest()
        user = await self._tokens.find(key, lambda: self._review(token), keep=lambda found: found is not None)
        if user is None:
            raise unauthorized()
        return user

    async def _review(self, token: str) -> User | None:
        status = await review(
            self._client, TOKEN_REVIEWS, {"token": token}, what="credentials", observe=self._observe
        )
        if not status.get("authenticated"):
            return None
        return _reviewed_user(status.get("user") or {})


def proxied_user(trust: Trust, headers: CIMultiDictProxy[str]) -> User | None:
    """The user that a front proxy names in its headers; None when it names none."""
    names = trust.headers_begin
    given = tuple(pair for pair in headers.items() if pair[0][:3].lower() in names)
    return _proxied_user(trust, given)


@lru_cache(maxsize=1024)
def _proxied_user(trust: Trust, given: tuple[tuple[str, str], ...]) -> User | None:
    """The same few users come all the time, with all their groups."""
    headers = CIMultiDict(given)
    name = _first(headers, trust.user_headers)
    if not name:
        return None
    groups = [_text(group) for header in trust.group_headers for group in headers.getall(header, ()) if group]
    extra: dict[str, list[str]] = {}
    for prefix in trust.extra_prefixes:
        for header, value in headers.items():
            if header.lower().startswith(prefix):
                extra.setdefault(unquote(header.lower()[len(prefix) :]), []).append(_text(value))
    return User(name, _first(headers, trust.uid_headers), tuple(groups), _frozen(extra) if extra else ())


def _first(headers: CIMultiDict[str], names: tuple[str, ...]) -> str:
    return next((_text(value) for name in names if (value := headers.get(name, ""))), "")


def _text(value: str) -> str:
    """Bytes that are no UTF-8 become the sign for that, as in Go, before anything is encoded with them."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _certified_user(certificate: bytes) -> User:
    subject = trusting.subject_of(certificate)
    if not subject.common_name:
        raise unauthorized()
    extra = {_CREDENTIAL_ID: [f"X509SHA256={subject.fingerprint}"]}
    return User(subject.common_name, subject.uid, subject.organizations, _frozen(extra))


def _reviewed_user(user: dict[str, Any]) -> User:
    return User(
        str(user.get("username") or ""),
        str(user.get("uid") or ""),
        tuple(user.get("groups") or ()),
        _frozen(user.get("extra") or {}),
    )


def _frozen(extra: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((key, tuple(values)) for key, values in extra.items()))


def _bearer(headers: CIMultiDictProxy[str]) -> str:
    """The token; any other scheme is none of ours and counts as nothing, as in every API server."""
    parts = headers.get("Authorization", "").split(None, 2)
    if len(parts) > 1 and parts[0].lower() == "bearer":
        return parts[1]
    return websocket.token(headers)
