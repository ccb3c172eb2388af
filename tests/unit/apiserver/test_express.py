"""The short way takes what is plain, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apiserver.asked import Asked, of_http1
from apiserver.express import _PLAIN_TARGET, _Headers, _parse_headers, _parse_target
from apiserver.http2 import hpack, huffman, plain
from apiserver.listener import after
from apiserver.trust import Trust

GV = b"/apis/missioncontrol.io/v1alpha1"
TRUST = Trust(user_headers=("x-remote-user",), group_headers=("x-remote-group",))


@pytest.mark.parametrize(
    ("target", "name"),
    [
        pytest.param(b"/namespaces/n/missioncontrolclusters/a", "a", id="an object"),
        pytest.param(
            b"/namespaces/n/rollingrestarts/a", "rollingrestart.a", id="an operation by its stored name"
        ),
        pytest.param(b"/namespaces/n/missioncontrolclusters?resourceVersion=0&limit=500", "", id="a list"),
        pytest.param(b"/missioncontrolclusters", "", id="a list over all namespaces"),
        pytest.param(b"/dataplanes/a", "a", id="an object of the cluster"),
    ],
)
def test_plain_targets(target: bytes, name: str) -> None:
    assert _PLAIN_TARGET.fullmatch(GV + target)
    found = _parse_target(GV + target)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(GV + b"/namespaces/n/missioncontrolclusters?watch=true", id="a watch"),
        pytest.param(GV + b"/namespaces/n/missioncontrolclusters?fieldSelector=a", id="a selector"),
        pytest.param(GV + b"/namespaces/n/missioncontrolclusters?limit=1&limit=2", id="a parameter twice"),
        pytest.param(GV + b"/namespaces/n/missioncontrolclusters/a/scale", id="a subresource"),
        pytest.param(GV + b"/namespaces/n/missioncontrolclusters/", id="a slash at the end"),
        pytest.param(GV + b"/namespaces/n//missioncontrolclusters", id="two slashes"),
        pytest.param(GV + b"/namespaces/n/../missioncontrolclusters/a", id="a step up"),
        pytest.param(GV + b"/missioncontrolclusters/a", id="no namespace"),
        pytest.param(GV + b"/namespaces/n/dataplanes/a", id="a namespace too much"),
        pytest.param(GV + b"/namespaces/n/databasenodes/a", id="what is computed"),
        pytest.param(GV + b"/namespaces/n/others/a", id="what we do not serve"),
        pytest.param(b"/apis/apps/v1/namespaces/n/missioncontrolclusters/a", id="another group"),
        pytest.param(GV, id="discovery"),
        pytest.param(GV + b"/namespaces/n%2F/missioncontrolclusters/a", id="an escape"),
    ],
)
def test_other_targets_go_the_long_way(target: bytes) -> None:
    assert _PLAIN_TARGET.fullmatch(target) is None or _parse_target(target) is None


def coded(text: bytes) -> bytes:
    """As Go writes texts: in the static code, where that is shorter."""
    short = huffman.encode(text)
    return bytes([0x80 | len(short)]) + short if len(short) < len(text) else bytes([len(text)]) + text


def block(*fields: tuple[bytes, bytes]) -> bytes:
    """A block of a client that keeps no table."""
    written = []
    for name, value in fields:
        known = hpack.encode_field(name, value)
        if known[0] & 0x80:
            written.append(known)
        else:
            head = hpack.named(name)
            written.append((head if head[0] else b"\x00" + coded(name)) + coded(value))
    return b"".join(written)


def as_http1(*fields: tuple[bytes, bytes]) -> Asked | None:
    lines = b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in fields)
    return of_http1(b"GET %b/x HTTP/1.1\r\nHost: x\r\n%b\r\n" % (GV, lines))


def as_http2(*fields: tuple[bytes, bytes]) -> Asked | None:
    pseudo = (b":authority", b"x"), (b":method", b"GET"), (b":path", GV + b"/x"), (b":scheme", b"https")
    return plain.of_block(block(*pseudo, *fields))


BOTH = pytest.mark.parametrize("ask", [as_http1, as_http2], ids=["HTTP/1.1", "HTTP/2"])


def understood(asked: Asked | None) -> _Headers | None:
    fields = asked.dialect.fields(asked.rest) if asked is not None else None
    return _parse_headers(fields, TRUST) if fields is not None else None


@BOTH
def test_headers_are_read_once_whatever_their_id(ask: Callable[..., Asked | None]) -> None:
    asked = [
        ask(
            (b"accept", b"application/json"),
            (b"audit-id", each),
            (b"x-forwarded-uri", b"/" + each),
            (b"x-remote-group", b"a"),
            (b"x-remote-group", b"b"),
            (b"x-remote-user", b"jane"),
        )
        for each in (b"one", b"two")
    ]
    first, second = asked
    assert first is not None
    assert second is not None
    assert first.rest == second.rest
    assert [each.dialect.audit_id(each.audit_id) for each in (first, second)] == [b"one", b"two"]
    assert first.dialect.target(first.target) == GV + b"/x"
    assert first.forwarded
    found = understood(first)
    assert found is not None
    assert (found.user.name, found.user.groups) == ("jane", ("a", "b", "system:authenticated"))
    assert found.accept == "application/json"


def test_the_order_of_names_says_nothing_and_that_of_values_does() -> None:
    user, one, two = (b"x-remote-user", b"jane"), (b"accept", b"text/a"), (b"accept", b"text/b")
    first, second, third = as_http2(user, one, two), as_http2(one, two, user), as_http2(two, one, user)
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.rest == second.rest != third.rest
    assert as_http2(one, user, two) is None


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda data: data[:-1], id="a text that ends with its block"),
        pytest.param(lambda data: b"\x20" + data, id="another size of the table"),
        pytest.param(lambda data: data + block((b":path", b"/")), id="a second path"),
        pytest.param(lambda data: data + b"\x00\xff", id="a long name"),
    ],
)
def test_blocks_that_are_not_plain(damaged: Callable[[bytes], bytes]) -> None:
    fields = ((b":authority", b"x"), (b":method", b"GET"), (b":path", GV), (b":scheme", b"https"))
    data = block(*fields, (b"audit-id", b"a"), (b"x-remote-user", b"jane"))
    assert understood(plain.of_block(data)) is not None
    assert understood(plain.of_block(damaged(data))) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(b"content-length", b"0", id="a length"),
        pytest.param(b"expect", b"100-continue", id="a question"),
        pytest.param(b"authorization", b"Bearer x", id="a token"),
        pytest.param(b"host", b"y", id="a second host"),
        pytest.param(b"user-agent", b"curl/8", id="a person"),
        pytest.param(b"bad name", b"x", id="a name with a space"),
        pytest.param(b"Upper", b"x", id="a name with capitals"),
        pytest.param(b"x", b"a\x00b", id="a control character"),
        pytest.param(b"x", b"a\r\nb", id="a line end"),
        pytest.param(b"x", b"caf\xc3\xa9", id="bytes beyond ASCII"),
        pytest.param(b":status", b"200", id="what only answers have"),
        pytest.param(b":method", b"POST", id="another method"),
    ],
)
def test_other_headers_of_http2_go_the_long_way(name: bytes, value: bytes) -> None:
    assert understood(as_http2((b"x-remote-user", b"jane"))) is not None
    assert understood(as_http2((b"x-remote-user", b"jane"), (name, value))) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"Content-Length: 0", id="a length"),
        pytest.param(b"Transfer-Encoding: chunked", id="a body in parts"),
        pytest.param(b"Upgrade: websocket", id="another protocol"),
        pytest.param(b"Expect: 100-continue", id="a question"),
        pytest.param(b"Connection: close", id="the last request"),
        pytest.param(b"Authorization: Bearer x", id="a token"),
        pytest.param(b"Host: y", id="a second host"),
        pytest.param(b"User-Agent: curl/8", id="a person"),
        pytest.param(b" folded: x", id="a folded line"),
        pytest.param(b"Bad Name: x", id="a name with a space"),
        pytest.param(b"X: a\x00b", id="a control character"),
        pytest.param(b"X: caf\xc3\xa9", id="bytes beyond ASCII"),
        pytest.param(b"no colon", id="no header at all"),
    ],
)
def test_other_headers_go_the_long_way(line: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Remote-User: jane\r\n"
    assert understood(of_http1(head + b"\r\n")) is not None
    assert understood(of_http1(head + line + b"\r\n\r\n")) is None


@BOTH
def test_nobody_is_not_known(ask: Callable[..., Asked | None]) -> None:
    assert understood(ask((b"accept", b"application/json"))) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, id="no body"),
        pytest.param(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 5, id="a body that is to come"),
        pytest.param(b"PUT / HTTP/1.1\r\nCONTENT-LENGTH:  5\r\n\r\nabcde", 0, id="a body that is there"),
        pytest.param(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdefg", None, id="more than the body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /", None, id="the next request"),
        pytest.param(b"GET / HTTP/1.1\r\nHost:", None, id="part of a head"),
        pytest.param(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None, id="a body in parts"),
        pytest.param(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", None, id="another protocol"),
        pytest.param(
            b"PUT / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", None, id="two lengths"
        ),
        pytest.param(b"PUT / HTTP/1.1\r\n Content-Length: 5\r\n\r\n", None, id="a folded length"),
        pytest.param(b"PUT / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", None, id="a length with a sign"),
    ],
)
def test_where_the_next_request_begins(data: bytes, expected: int | None) -> None:
    assert after(data) == expected
