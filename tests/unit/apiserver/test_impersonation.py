"""Acting for somebody else: what headers ask for, which rights that takes, who it is in the end."""

from __future__ import annotations

from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver import impersonation
from apiserver.authz import Attributes, Authorizer, denied
from apiserver.identity import User
from apiserver.status import Failure

JANE = User("jane", groups=("system:authenticated",))


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


class _Rights:
    """Allows these resources to be impersonated, and remembers what it was asked."""

    def __init__(self, *resources: str) -> None:
        self.resources = resources
        self.asked: list[Attributes] = []

    async def require(self, user: User, attributes: Attributes) -> None:
        assert user is JANE
        self.asked.append(attributes)
        if attributes.resource not in self.resources:
            raise denied(user, attributes)


async def acting(rights: _Rights, *pairs: tuple[str, str]) -> User:
    return await impersonation.acting(cast(Authorizer, rights), JANE, headers(*pairs))


@pytest.mark.parametrize(
    ("given", "expected", "asked"),
    [
        pytest.param(
            [("Impersonate-User", "joe")],
            User("joe", groups=("system:authenticated",)),
            [("", "users", "", "joe", "")],
            id="a user",
        ),
        pytest.param(
            [("Impersonate-User", "joe"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")],
            User("joe", groups=("a", "b", "system:authenticated")),
            [("", "users", "", "joe", ""), ("", "groups", "", "a", ""), ("", "groups", "", "b", "")],
            id="with groups",
        ),
        pytest.param(
            [
                ("impersonate-user", "joe"),
                ("Impersonate-Uid", "u1"),
                ("Impersonate-Extra-Example.com%2fScopes", "x"),
                ("impersonate-extra-example.com%2Fscopes", "y"),
            ],
            User("joe", "u1", ("system:authenticated",), (("example.com/scopes", ("x", "y")),)),
            [
                ("", "users", "", "joe", ""),
                ("authentication.k8s.io", "userextras", "example.com/scopes", "x", ""),
                ("authentication.k8s.io", "userextras", "example.com/scopes", "y", ""),
                ("authentication.k8s.io", "uids", "", "u1", ""),
            ],
            id="with a uid and extras",
        ),
        pytest.param(
            [("Impersonate-User", "system:serviceaccount:ns:sa")],
            User(
                "system:serviceaccount:ns:sa",
                groups=("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"),
            ),
            [("", "serviceaccounts", "", "sa", "ns")],
            id="a ServiceAccount, with the groups that it has",
        ),
        pytest.param(
            [("Impersonate-User", "system:anonymous")],
            User("system:anonymous", groups=("system:unauthenticated",)),
            [("", "users", "", "system:anonymous", "")],
            id="nobody",
        ),
    ],
)
async def test_who_it_is_and_what_it_takes(
    given: list[tuple[str, str]], expected: User, asked: list[tuple[str, ...]]
) -> None:
    rights = _Rights("users", "groups", "userextras", "uids", "serviceaccounts")
    assert await acting(rights, *given) == expected
    assert [(a.group, a.resource, a.subresource, a.name, a.namespace) for a in rights.asked] == asked
    assert {a.verb for a in rights.asked} == {"impersonate"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            [("Impersonate-User", "joe")],
            'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" '
            "at the cluster scope",
            id="a user",
        ),
        pytest.param(
            [("Impersonate-User", "joe"), ("Impersonate-Group", "system:masters")],
            'users "joe" is forbidden',
            id="a group of masters",
        ),
    ],
)
async def test_without_the_right_it_is_refused(given: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(Failure) as refused:
        await acting(_Rights("groups"), *given)
    assert refused.value.code == 403
    assert str(refused.value).startswith(message)


async def test_the_right_on_a_user_is_none_on_groups() -> None:
    with pytest.raises(Failure, match='cannot impersonate resource "groups"'):
        await acting(_Rights("users"), ("Impersonate-User", "joe"), ("Impersonate-Group", "system:masters"))


@pytest.mark.parametrize("name", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-x"])
async def test_nobody_is_impersonated_without_a_name(name: str) -> None:
    given: Any = ((name, "x"),)
    assert impersonation.is_asked(headers(*given))
    with pytest.raises(Failure) as refused:
        await acting(_Rights("users", "groups", "userextras", "uids"), *given)
    assert refused.value.code == 400
    assert not impersonation.is_asked(headers(("X-Impersonate-User", "x")))
