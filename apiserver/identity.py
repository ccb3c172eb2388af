"""Who makes a request, as authentication found it and as authorization and the store are told it."""

from __future__ import annotations

import json
from typing import NamedTuple

ANONYMOUS_NAME = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"


class User(NamedTuple):
    """A user; immutable and cheaply hashed, for it is part of a cache's key on every request."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_master(self) -> bool:
        """Whether everything is allowed, without asking."""
        return MASTERS in self.groups

    @property
    def is_authenticated(self) -> bool:
        return AUTHENTICATED in self.groups

    def as_requester(self) -> str:
        """What the store's webhooks are told about who asked: ASCII, for it travels in a header."""
        return json.dumps(
            {"username": self.name, "uid": self.uid, "groups": list(self.groups)}, separators=(",", ":")
        )


ANONYMOUS = User(ANONYMOUS_NAME, groups=(UNAUTHENTICATED,))


def completed(user: User) -> User:
    """The user with the group that every authenticated user has.

    The aggregator's own requests (discovery, OpenAPI) come with a user and no groups at all.
    """
    if user.name == ANONYMOUS_NAME or AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, user.uid, (*user.groups, AUTHENTICATED), user.extra)
