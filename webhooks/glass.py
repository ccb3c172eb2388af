"""Breaking the glass: a person writes what only our components may, once, with a reason, and it is recorded.

The annotation that gives the reason is part of the very write. It is never stored: in its place stays who
broke the glass, when and why, so that no reason of last year is a permission of today. Deletions and writes
of subresources carry no annotations: for them the record must be the same person's, and young.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from missioncontrol.api.names import Annotation
from webhooks.patches import escape, set_entries
from webhooks.review import Request, annotations_of

FRESH: Final = datetime.timedelta(minutes=1)
"""How old the record of the very write can be: it is made on the way, and clocks of webhooks may differ."""
YOUNG: Final = datetime.timedelta(minutes=10)
"""How long after it the same person may delete, or write the status."""


@dataclass(frozen=True, slots=True)
class Record:
    """Who broke the glass, when and why."""

    by: str
    at: datetime.datetime
    reason: str

    def as_text(self) -> str:
        return orjson.dumps({"at": self.at.isoformat(), "by": self.by, "reason": self.reason}).decode()


def record_of(body: Mapping[str, Any] | None) -> Record | None:
    """The record on an object."""
    given = annotations_of(body).get(Annotation.GLASS_BROKEN)
    try:
        told = orjson.loads(given or "null")
        at = datetime.datetime.fromisoformat(told["at"])
        return Record(str(told["by"]), at, str(told["reason"])) if at.tzinfo is not None else None
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        return None


def reason_of(body: Mapping[str, Any] | None) -> str:
    """The reason that a write gives; blanks are none."""
    return str(annotations_of(body).get(Annotation.BREAK_GLASS) or "").strip()


def broken_by(request: Request, now: datetime.datetime) -> Record | None:
    """The record that lets this request pass."""
    user, written = request.user_info.username, request.object if not request.sub_resource else None
    if request.operation in ("CREATE", "UPDATE") and not request.sub_resource:
        made, before = record_of(written), record_of(request.old_object)
        return made if made != before and _is_by(made, user, now, FRESH) else None
    before = record_of(request.old_object or request.object)
    return before if _is_by(before, user, now, YOUNG) else None


def _is_by(record: Record | None, user: str, now: datetime.datetime, age: datetime.timedelta) -> bool:
    return record is not None and record.by == user and abs(now - record.at) <= age


def stamped(request: Request, now: datetime.datetime, *, person: bool) -> tuple[dict[str, str], list[str]]:
    """What to do with annotations: those to set, and those to take away.

    A record stays as it is, whatever a write says of it: only a reason, given by a person, makes a new one.
    """
    body, old = request.object, request.old_object
    present, kept = (annotations_of(each).get(Annotation.GLASS_BROKEN) for each in (body, old))
    reason = reason_of(body)
    if person and reason and reason_of(old) != reason:
        record = Record(request.user_info.username, now, reason)
        return {Annotation.GLASS_BROKEN: record.as_text()}, [Annotation.BREAK_GLASS]
    # this handler may be called twice for one write, and then finds its own work
    if present == kept or (person and _is_by(record_of(body), request.user_info.username, now, FRESH)):
        return {}, []
    return ({Annotation.GLASS_BROKEN: kept}, []) if kept else ({}, [Annotation.GLASS_BROKEN])


def annotation_patch(
    body: Mapping[str, Any], wanted: Mapping[str, str], unwanted: list[str]
) -> list[dict[str, Any]]:
    """The operations of a JSON patch for these changes of annotations."""
    present = annotations_of(body)
    removed = [
        {"op": "remove", "path": f"/metadata/annotations/{escape(key)}"} for key in unwanted if key in present
    ]
    return [*set_entries(body, "annotations", wanted), *removed]
