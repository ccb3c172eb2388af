"""Who is believed: front proxies by their own CA and name, clients by theirs, headers only with the proxy."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver import trust as trusting
from apiserver.authn import Authenticator, proxied_user
from apiserver.authz import Attributes, Authorizer, denied
from apiserver.cache import TimedCache
from apiserver.identity import User, completed
from apiserver.status import Failure
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Forbidden, TransportError
from missioncontrol.pki.ca import Authority, Usage, issue, new_ca

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
PROXY_CA, CLIENT_CA = new_ca("proxies", now=NOW, lifetime=DAY), new_ca("clients", now=NOW, lifetime=DAY)


def leaf(ca: Authority, name: str, *, usage: Usage = Usage.CLIENT, groups: tuple[str, ...] = ()) -> bytes:
    made = issue(ca, common_name=name, usages=[usage], now=NOW, lifetime=DAY / 2, organizations=groups)
    return ssl.PEM_cert_to_DER_cert(made.cert_pem.decode())


def trust_of(**changes: str) -> trusting.Trust:
    data = {
        "client-ca-file": CLIENT_CA.cert_pem.decode(),
        "requestheader-client-ca-file": PROXY_CA.cert_pem.decode(),
        "requestheader-allowed-names": '["front-proxy-client"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    }
    return trusting.parse({**data, **changes})


PROXY = leaf(PROXY_CA, "front-proxy-client")
HEADERS = [("X-Remote-User", "alice"), ("X-Remote-Group", "dev"), ("X-Remote-Group", "ops")]


@pytest.mark.parametrize(
    ("certificate", "trust", "expected"),
    [
        pytest.param(PROXY, trust_of(), True, id="the front proxy"),
        pytest.param(leaf(PROXY_CA, "somebody"), trust_of(), False, id="its CA, another name"),
        pytest.param(leaf(CLIENT_CA, "front-proxy-client"), trust_of(), False, id="its name, a client's CA"),
        pytest.param(
            leaf(PROXY_CA, "front-proxy-client", usage=Usage.SERVER), trust_of(), False, id="a server's"
        ),
        pytest.param(
            leaf(PROXY_CA, "any"), trust_of(**{"requestheader-allowed-names": "[]"}), True,
            id="any name is allowed",
        ),
        pytest.param(
            leaf(PROXY_CA, "any"), trust_of(**{"requestheader-allowed-names": "oops"}), False,
            id="an unreadable list allows nobody",
        ),
        pytest.param(PROXY, trust_of(**{"requestheader-client-ca-file": ""}), False, id="no proxy"),
        pytest.param(PROXY, trust_of(**{"requestheader-client-ca-file": "x"}), False, id="an unreadable CA"),
        pytest.param(b"junk", trust_of(), False, id="no certificate at all"),
    ],
)  # fmt: skip
def test_who_is_a_front_proxy(certificate: bytes, trust: trusting.Trust, expected: bool) -> None:
    assert trusting.is_front_proxy(trust, certificate, NOW.timestamp()) is expected


def test_an_expired_certificate_is_nobody() -> None:
    assert not trusting.is_front_proxy(trust_of(), PROXY, (NOW + DAY).timestamp())


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def test_the_proxys_headers_are_read_and_unescaped() -> None:
    user = proxied_user(
        trust_of(),
        headers(
            *HEADERS,
            ("X-Remote-Uid", "7"),
            ("X-Remote-Extra-Acme.com%2fproject", "x"),
            ("x-remote-extra-a", "1"),
        ),
    )
    assert user == User("alice", "7", ("dev", "ops"), (("a", ("1",)), ("acme.com/project", ("x",))))


def test_the_aggregators_own_requests_get_their_group() -> None:
    assert completed(User("system:aggregator")).groups == ("system:authenticated",)
    assert completed(User("x", groups=("system:unauthenticated",))).groups == ("system:unauthenticated",)


class FakeClient:
    """Answers reviews, and counts them."""

    def __init__(self, answer: Any = None) -> None:
        self.answer, self.asked = answer, []

    async def create(self, resource: Any, body: dict[str, Any], **_: Any) -> Any:
        self.asked.append(body)
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"status": self.answer(body["spec"]) if callable(self.answer) else self.answer}


def authenticator(answer: Any = None) -> Authenticator:
    return Authenticator(cast("Client", FakeClient(answer)), trust_of)


async def test_headers_without_the_proxy_are_nothing() -> None:
    user = await authenticator().authenticate(headers(*HEADERS), None)
    assert user.name == "system:anonymous"
    client = leaf(CLIENT_CA, "bob", groups=("dev",))
    user = await authenticator().authenticate(headers(*HEADERS), client)
    assert (user.name, user.groups) == ("bob", ("dev", "system:authenticated"))


async def test_the_proxy_speaks_for_its_users() -> None:
    user = await authenticator().authenticate(headers(*HEADERS), PROXY)
    assert user == User("alice", groups=("dev", "ops", "system:authenticated"))


@pytest.mark.parametrize("certificate", [leaf(PROXY_CA, "somebody"), None])
async def test_wrong_credentials_do_not_fall_back_to_anonymous(certificate: bytes | None) -> None:
    given = headers(("Authorization", "Bearer nonsense"))
    with pytest.raises(Failure) as caught:
        await authenticator({"authenticated": False}).authenticate(given, certificate)
    assert caught.value.code == 401


@pytest.mark.parametrize("given", ["Basic YTpi", "Bearer", "Bearer   ", "nonsense", ""])
async def test_what_is_no_token_counts_as_nothing(given: str) -> None:
    user = await authenticator().authenticate(headers(("Authorization", given)), None)
    assert user.name == "system:anonymous"


async def test_empty_groups_are_none_and_bytes_that_are_no_text_are_replaced() -> None:
    raw = b"zo\xeb".decode("utf-8", "surrogateescape")
    given = headers(("X-Remote-User", raw), ("X-Remote-Group", ""), ("X-Remote-Group", "g"))
    user = await authenticator().authenticate(given, PROXY)
    assert user == User("zo\ufffd", groups=("g", "system:authenticated"))
    assert json.loads(user.as_requester())["username"] == "zo\ufffd"


async def test_an_expired_certificate_is_refused_in_words() -> None:
    late = Authenticator(cast("Client", FakeClient()), trust_of, now=lambda: (NOW + DAY).timestamp())
    with pytest.raises(Failure) as caught:
        await late.authenticate(headers(*HEADERS), PROXY)
    assert caught.value.code == 401


async def test_a_server_without_the_right_to_ask_says_so_itself() -> None:
    client = FakeClient(Forbidden(403, reason="Forbidden", message="no"))
    for asked in (
        Authorizer(cast("Client", client)).decide(User("x"), ATTRIBUTES),
        Authenticator(cast("Client", client), trust_of).authenticate(
            headers(("Authorization", "Bearer t")), None
        ),
    ):
        with pytest.raises(Failure) as caught:
            await asked
        assert (caught.value.code, caught.value.status["reason"]) == (500, "InternalError")


async def test_very_long_questions_are_not_kept() -> None:
    client = FakeClient({"allowed": True})
    authorizer = Authorizer(cast("Client", client))
    user = User("x", groups=tuple(f"{'g' * 100}{number}" for number in range(100)))
    for _ in range(2):
        assert (await authorizer.decide(user, ATTRIBUTES)).allowed
    assert len(client.asked) == 2


async def test_tokens_are_reviewed_once_and_only_success_is_kept() -> None:
    client = FakeClient(
        {"authenticated": True, "user": {"username": "sa", "groups": ["g"], "extra": {"k": ["v"]}}}
    )
    subject = Authenticator(cast("Client", client), trust_of)
    given = headers(("Authorization", "Bearer t"))
    users = await asyncio.gather(*(subject.authenticate(given, None) for _ in range(5)))
    assert {user.name for user in users} == {"sa"}
    assert len(client.asked) == 1
    client.answer = TransportError("away")
    await subject.authenticate(given, None)
    with pytest.raises(Failure) as caught:
        await subject.authenticate(headers(("Authorization", "Bearer other")), None)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (503, "1")


ATTRIBUTES = Attributes(
    verb="update", group="missioncontrol.io", version="v1alpha1", resource="missioncontrolclusters",
    subresource="scale", namespace="a", name="demo",
)  # fmt: skip


async def test_rights_are_asked_for_once() -> None:
    client = FakeClient({"allowed": True})
    authorizer = Authorizer(cast("Client", client))
    user = User("alice", "u", ("dev",), (("k", ("v",)),))
    decisions = await asyncio.gather(*(authorizer.decide(user, ATTRIBUTES) for _ in range(5)))
    assert all(decision.allowed for decision in decisions)
    (asked,) = client.asked
    assert asked["spec"] == {
        "user": "alice", "uid": "u", "groups": ["dev"], "extra": {"k": ["v"]},
        "resourceAttributes": {
            "namespace": "a", "verb": "update", "group": "missioncontrol.io", "version": "v1alpha1",
            "resource": "missioncontrolclusters", "subresource": "scale",
        },
    }  # fmt: skip
    # a right on all of them is one on each
    other = ATTRIBUTES._replace(name="other")
    assert (await authorizer.decide(user, other)).allowed
    assert authorizer.known(user, other) is not None
    assert authorizer.known(user, other._replace(namespace="b")) is None
    assert len(client.asked) == 1


async def test_a_right_on_one_object_is_asked_for_by_its_name() -> None:
    client = FakeClient(lambda spec: {"allowed": spec["resourceAttributes"].get("name") == "demo"})
    authorizer = Authorizer(cast("Client", client))
    for _ in range(2):
        assert (await authorizer.decide(User("x"), ATTRIBUTES)).allowed
        assert not (await authorizer.decide(User("x"), ATTRIBUTES._replace(name="other"))).allowed
    assert [asked["spec"]["resourceAttributes"].get("name") for asked in client.asked] == [
        None,
        "demo",
        "other",
    ]


async def test_masters_and_probes_are_never_asked_about() -> None:
    client = FakeClient(TransportError("away"))
    authorizer = Authorizer(cast("Client", client))
    assert (await authorizer.decide(User("x", groups=("system:masters",)), ATTRIBUTES)).allowed
    assert (await authorizer.decide(User("x"), Attributes(verb="get", path="/readyz"))).allowed
    assert not client.asked


async def test_a_denial_wins_over_an_allowance() -> None:
    authorizer = Authorizer(cast("Client", FakeClient({"allowed": True, "denied": True})))
    assert not (await authorizer.decide(User("x"), ATTRIBUTES)).allowed


def test_a_denial_in_the_words_of_kubernetes() -> None:
    status = denied(User("alice"), ATTRIBUTES).status
    assert status["message"] == (
        'missioncontrolclusters.missioncontrol.io "demo" is forbidden: User "alice" cannot update resource '
        '"missioncontrolclusters/scale" in API group "missioncontrol.io" in the namespace "a"'
    )
    assert status["details"] == {
        "group": "missioncontrol.io",
        "kind": "missioncontrolclusters",
        "name": "demo",
    }


async def test_a_client_that_leaves_spoils_nothing_for_the_others() -> None:
    now = [0.0]
    cache: TimedCache[str, int] = TimedCache(seconds=10, limit=2, clock=lambda: now[0])
    release = asyncio.Event()

    async def ask() -> int:
        await release.wait()
        return 5

    first = asyncio.create_task(cache.find("k", ask))
    second = asyncio.create_task(cache.find("k", ask))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    release.set()
    assert await second == 5
    assert cache.get("k") == 5
    now[0] = 11
    assert cache.get("k") is None
    for key in "abc":
        cache.put(key, 1)
    assert cache.get("a") is None


def test_the_requester_is_told_in_ascii() -> None:
    told = User("zoë", "u", ("g",)).as_requester()
    assert told.isascii()
    assert json.loads(told) == {"username": "zoë", "uid": "u", "groups": ["g"]}
