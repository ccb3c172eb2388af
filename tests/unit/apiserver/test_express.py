"""The short way takes what is plain, and nothing else."""

from __future__ import annotations

import pytest

from apiserver.express import _PLAIN_TARGET, _parse_headers, _parse_target, _without_varying
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


def test_headers_are_read_once_whatever_their_id() -> None:
    blocks = [
        b"\r\nHost: x\r\nAccept: application/json\r\nAudit-Id: %b\r\nX-Forwarded-Uri: /%b\r\n"
        b"X-Remote-Group: a\r\nX-Remote-Group: b\r\nX-Remote-User: jane\r\n\r\n" % (each, each)
        for each in (b"one", b"two")
    ]
    (first, first_id), (second, second_id) = map(_without_varying, blocks)
    assert first == second
    assert (first_id, second_id) == (b"one", b"two")
    found = _parse_headers(first, TRUST)
    assert found is not None
    assert (found.user.name, found.user.groups) == ("jane", ("a", "b", "system:authenticated"))
    assert found.accept == "application/json"


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
    assert _parse_headers(b"\r\nHost: x\r\nX-Remote-User: jane\r\n%b\r\n\r\n" % line, TRUST) is None


def test_nobody_is_not_known() -> None:
    assert _parse_headers(b"\r\nHost: x\r\n\r\n", TRUST) is None


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
