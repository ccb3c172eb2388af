"""Under which kind, name and UID users know an object that is stored.

The UID of what users see is the stored one with another version digit, so that Kubernetes' garbage collector
never meets one UID under two kinds.
"""

from __future__ import annotations

from typing import Any, Final

from missioncontrol.api.registry import KINDS, OPERATIONS_BY_SINGULAR, KindInfo, StoredAs
from missioncontrol.api.resources import STORED_OPERATIONS, Resource

UID_VERSION: Final = 14  # the position of the version digit in a UUID's text
_STORED: Final = "4"
_SAME: Final = {info.stored: info for info in KINDS if info.stored_as is StoredAs.SAME}
_VIEWS: Final = tuple(info for info in KINDS if info.stored_as is StoredAs.VIEW)


def uid_version(info: KindInfo) -> str:
    """The version digit of the UIDs of a kind."""
    return "9" if info.stored_as is StoredAs.VIEW else "8"


def swap_uid(uid: Any, digit: str) -> Any:
    """The other side's UID: version digit 4 and `digit` change places, so that applying it twice is identity.

    A swap and not a replacement: a client that gives the stored UID as a precondition must not match.
    """
    if not isinstance(uid, str) or len(uid) <= UID_VERSION:
        return uid
    version = uid[UID_VERSION]
    if version == _STORED:
        other = digit
    elif version == digit:
        other = _STORED
    else:
        return uid
    return uid[:UID_VERSION] + other + uid[UID_VERSION + 1 :]


def shown_as(stored: Resource, name: str, uid: str) -> tuple[tuple[Resource, str, str], ...]:
    """Resources, names and UIDs by which users know an object: of an operation those of its own kind, and
    those in the list over all operations.

    What is of another group is known by its own.
    """
    if stored == STORED_OPERATIONS:
        singular, _, own = name.partition(".")
        info = OPERATIONS_BY_SINGULAR.get(singular)
        shown = [(info, own)] if info else []
        shown += [(view, name) for view in _VIEWS]
    else:
        shown = [(_SAME[stored], name)] if stored in _SAME else []
    known = tuple((info.resource, known, swap_uid(uid, uid_version(info))) for info, known in shown)
    return known or ((stored, name, uid),)
