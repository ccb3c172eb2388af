"""Acting for somebody else: the Impersonate headers of those who call directly, if they have the right to.

What comes through kube-apiserver has been answered there; it passes no such header on. Ignored, a request
that asks for less than its caller may do would be done with all that he may.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from apiserver.authz import Attributes, Authorizer
from apiserver.identity import ANONYMOUS_NAME, UNAUTHENTICATED, User, completed
from apiserver.status import bad_request

_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATION = "authentication.k8s.io"
PREFIX = "impersonate-"


def is_asked(headers: CIMultiDictProxy[str]) -> bool:
    """Whether there is any such header."""
    return any(name[:12].lower() == PREFIX for name in headers)


async def acting(authorizer: Authorizer, user: User, headers: CIMultiDictProxy[str]) -> User:
    """Whom the user acts for; 403 unless he may, for each name, group, uid and extra."""
    wanted = requested(headers)
    for attributes in rights(wanted):
        await authorizer.require(user, attributes)
    return _whole(wanted)


def requested(headers: CIMultiDictProxy[str]) -> User:
    """The user as the headers describe him."""
    name = headers.get(_USER, "")
    if not name:
        raise bad_request("to act for a group, a uid or an extra, a user has to be named in Impersonate-User")
    extra: dict[str, list[str]] = {}
    for header, value in headers.items():
        if header.lower().startswith(_EXTRA):
            extra.setdefault(unquote(header[len(_EXTRA) :].lower()), []).append(value)
    pairs = tuple(sorted((key, tuple(values)) for key, values in extra.items()))
    return User(name, headers.get(_UID, ""), tuple(headers.getall(_GROUP, ())), pairs)


def _whole(user: User) -> User:
    """The user with the groups that go without saying."""
    account = _service_account(user.name)
    if account is not None and not user.groups:
        user = user._replace(groups=("system:serviceaccounts", f"system:serviceaccounts:{account[0]}"))
    if user.name == ANONYMOUS_NAME and UNAUTHENTICATED not in user.groups:
        return user._replace(groups=(*user.groups, UNAUTHENTICATED))
    return completed(user)


def rights(wanted: User) -> Iterator[Attributes]:
    """What somebody has to be allowed who wants to be this user."""
    account = _service_account(wanted.name)
    if account is None:
        yield _right("users", wanted.name)
    else:
        yield _right("serviceaccounts", account[1])._replace(namespace=account[0])
    yield from (_right("groups", group) for group in wanted.groups)
    for key, values in wanted.extra:
        for value in values:
            yield _right("userextras", value)._replace(group=_AUTHENTICATION, subresource=key)
    if wanted.uid:
        yield _right("uids", wanted.uid)._replace(group=_AUTHENTICATION)


def _right(resource: str, name: str) -> Attributes:
    return Attributes(verb="impersonate", version="v1", resource=resource, name=name)


def _service_account(name: str) -> tuple[str, str] | None:
    """Namespace and name of a ServiceAccount."""
    parts = name.removeprefix(_SERVICE_ACCOUNT).split(":")
    if not name.startswith(_SERVICE_ACCOUNT) or len(parts) != 2 or not all(parts):
        return None
    return parts[0], parts[1]
