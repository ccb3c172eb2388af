"""WebSockets, over which browsers watch: the handshake as kube-apiserver makes it, and frames of text.

A browser cannot send an Authorization header with it, so a token may come among the subprotocols.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.http import WS_KEY
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.status import Failure, bad_request, failure, unauthorized

_UPGRADE: Final = re.compile(r"(?:^|,)\s*upgrade\s*(?:$|,)", re.IGNORECASE)
_TOKEN_PREFIX: Final = "base64url.bearer.authorization.k8s.io."
LARGEST_MESSAGE: Final = 64 * 1024
"""What a client may say in one message; nothing of it is listened to."""
CLOSE_SECONDS: Final = 1.0
_TEXT: Final = 0x81
"""The first byte of a frame that is a whole message of text."""


def is_request(headers: CIMultiDictProxy[str]) -> bool:
    """Whether the client asks for a WebSocket."""
    if headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        return False
    return any(_UPGRADE.search(each) for each in headers.getall(hdrs.CONNECTION, ()))


def token(headers: CIMultiDictProxy[str]) -> str:
    """The bearer token among the subprotocols; 401 for one that cannot be meant."""
    if not is_request(headers):
        return ""
    found = [each for each in _offered(headers) if each.startswith(_TOKEN_PREFIX)]
    if not found:
        return ""
    encoded = found[0].removeprefix(_TOKEN_PREFIX)
    if len(found) > 1 or not re.fullmatch(r"[\w-]*", encoded, re.ASCII):
        raise unauthorized()
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthorized() from error
    if text and not any(_protocols(headers)):
        raise unauthorized()  # there must be another one, to be echoed
    return text


def _offered(headers: CIMultiDictProxy[str]) -> Iterator[str]:
    for header in headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, ()):
        yield from (each.strip() for each in header.split(","))


def _protocols(headers: CIMultiDictProxy[str]) -> Iterator[str]:
    """The subprotocols but for the one that is a token."""
    return (each for each in _offered(headers) if each and not each.startswith(_TOKEN_PREFIX))


def refusal(headers: CIMultiDictProxy[str]) -> Failure | None:
    """What is wrong with a handshake, or nothing."""
    if not headers.get(hdrs.SEC_WEBSOCKET_KEY):
        return bad_request("a WebSocket needs a Sec-WebSocket-Key")
    if headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        return failure(
            400, "this server speaks version 13 of WebSocket", headers={"Sec-WebSocket-Version": "13"}
        )
    origin = urlsplit(headers.get(hdrs.ORIGIN, ""))
    if not origin.scheme and not origin.path.startswith("/"):
        # whoever is let in here is authenticated by more than a cookie: any origin will do, but not none
        return failure(403, "a WebSocket needs an Origin that is a URL")
    if len(list(_protocols(headers))) > 1:
        return bad_request("of several subprotocols of WebSocket none can be chosen: name one")
    return None


class Socket(web.WebSocketResponse):
    """The answer that becomes a WebSocket. Whoever makes it has seen that there is no `refusal`."""

    def __init__(self) -> None:
        super().__init__(timeout=CLOSE_SECONDS, compress=False, max_msg_size=LARGEST_MESSAGE)

    def _handshake(self, request: web.BaseRequest) -> tuple[CIMultiDict[str], str | None, int, bool]:
        """As aiohttp's, which wants keys of 16 bytes and knows subprotocols by name."""
        key = request.headers[hdrs.SEC_WEBSOCKET_KEY]
        proof = base64.b64encode(hashlib.sha1(key.encode() + WS_KEY, usedforsecurity=False).digest())
        headers = CIMultiDict(
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": proof.decode()}
        )
        protocol = next(_protocols(request.headers), None)
        if protocol is not None:
            headers["Sec-WebSocket-Protocol"] = protocol
        return headers, protocol, 0, False


def frame(data: bytes) -> bytes:
    """The data as one message of text."""
    size = len(data)
    if size < 126:
        head = bytes((_TEXT, size))
    elif size < 1 << 16:
        head = bytes((_TEXT, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_TEXT, 127)) + size.to_bytes(8, "big")
    return head + data
