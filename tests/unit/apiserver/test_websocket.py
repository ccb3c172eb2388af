"""WebSockets: who asks for one, what is wrong with a handshake, tokens among subprotocols, frames."""

from __future__ import annotations

import base64

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver import websocket
from apiserver.status import Failure

PREFIX = "base64url.bearer.authorization.k8s.io."
RIGHT = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "x",
    "Sec-WebSocket-Version": "13",
    "Origin": "https://x",
}


def headers(*more: tuple[str, str], **changes: str | None) -> CIMultiDictProxy[str]:
    whole = {**RIGHT, **{name.replace("_", "-"): value for name, value in changes.items()}}
    pairs = [(name, value) for name, value in whole.items() if value is not None]
    return CIMultiDictProxy(CIMultiDict([*pairs, *more]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(headers(), True, id="as browsers ask"),
        pytest.param(headers(Connection="keep-alive, Upgrade"), True, id="among other words"),
        pytest.param(headers(Upgrade="WebSocket"), True, id="in other letters"),
        pytest.param(headers(Connection="upgraded"), False, id="a word that only begins so"),
        pytest.param(headers(Connection=None), False, id="the connection is not to change"),
        pytest.param(headers(Upgrade="SPDY/3.1"), False, id="another protocol"),
    ],
)
def test_who_asks_for_a_web_socket(given: CIMultiDictProxy[str], expected: bool) -> None:
    assert websocket.is_request(given) is expected


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param(headers(), 0, id="nothing is wrong"),
        pytest.param(headers(Sec_WebSocket_Protocol="one"), 0, id="one subprotocol"),
        pytest.param(headers(Sec_WebSocket_Protocol=f"{PREFIX}eA, one"), 0, id="a token beside it"),
        pytest.param(headers(Sec_WebSocket_Protocol="one, two"), 400, id="two subprotocols"),
        pytest.param(headers(Sec_WebSocket_Key=None), 400, id="no key"),
        pytest.param(headers(Sec_WebSocket_Version="8"), 400, id="an old version"),
        pytest.param(headers(Origin=None), 403, id="no origin"),
        pytest.param(headers(Origin="null"), 403, id="an origin that is no URL"),
    ],
)
def test_handshakes(given: CIMultiDictProxy[str], code: int) -> None:
    refusal = websocket.refusal(given)
    assert (refusal.code if refusal else 0) == code


def encoded(token: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("given", "token"),
    [
        pytest.param(headers(Sec_WebSocket_Protocol=f"{encoded('a.b-c?>')}, x"), "a.b-c?>", id="a token"),
        pytest.param(
            headers(("Sec-WebSocket-Protocol", "x"), ("Sec-WebSocket-Protocol", encoded("t"))),
            "t",
            id="apart",
        ),
        pytest.param(headers(Sec_WebSocket_Protocol="x"), "", id="none"),
        pytest.param(
            headers(Upgrade=None, Sec_WebSocket_Protocol=f"{encoded('t')}, x"), "", id="no WebSocket"
        ),
        pytest.param(headers(Sec_WebSocket_Protocol=encoded("t")), None, id="nothing to be echoed"),
        pytest.param(headers(Sec_WebSocket_Protocol=f"{encoded('t')}, {encoded('u')}, x"), None, id="two"),
        pytest.param(headers(Sec_WebSocket_Protocol=f"{PREFIX}%%%, x"), None, id="not base64"),
        pytest.param(headers(Sec_WebSocket_Protocol=f"{PREFIX}_w, x"), None, id="not UTF-8"),
    ],
)
def test_tokens_among_subprotocols(given: CIMultiDictProxy[str], token: str | None) -> None:
    if token is None:
        with pytest.raises(Failure, match="Unauthorized"):
            websocket.token(given)
    else:
        assert websocket.token(given) == token


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "8100"), (125, "817d"), (126, "817e007e"), (65535, "817effff"), (65536, "817f0000000000010000")],
)
def test_frames(size: int, head: str) -> None:
    assert websocket.frame(b"x" * size) == bytes.fromhex(head) + b"x" * size
