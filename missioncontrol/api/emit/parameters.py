"""The parameters of API requests, as both versions of OpenAPI describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in a path or a query."""

    name: str
    type: Literal["string", "integer", "boolean"]
    description: str

    def v2(self, place: Literal["path", "query"]) -> dict[str, Any]:
        """As in Swagger 2.0."""
        return self._common(place) | {"type": self.type, "uniqueItems": True}

    def v3(self, place: Literal["path", "query"]) -> dict[str, Any]:
        """As in OpenAPI 3.0."""
        return self._common(place) | {"schema": {"type": self.type, "uniqueItems": True}}

    def _common(self, place: Literal["path", "query"]) -> dict[str, Any]:
        common: dict[str, Any] = {"name": self.name, "in": place, "description": self.description}
        return common | ({"required": True} if place == "path" else {})


_ALL = (
    Parameter("name", "string", "Name of the object."),
    Parameter("namespace", "string", "Namespace of the object."),
    Parameter("pretty", "string", "If true, the answer is indented."),
    Parameter("dryRun", "string", "All: do everything but persist. Other values are refused."),
    Parameter(
        "fieldManager",
        "string",
        "Name of the one who makes the change, up to 128 characters; needed to apply.",
    ),
    Parameter(
        "fieldValidation",
        "string",
        "What to do about unknown and duplicate fields: Ignore, Warn (the default) or Strict.",
    ),
    Parameter("force", "boolean", "When applying: take over fields that others own."),
    Parameter("gracePeriodSeconds", "integer", "Seconds until the object is deleted; 0 is at once."),
    Parameter("orphanDependents", "boolean", "Older form of propagationPolicy: whether dependents stay."),
    Parameter("propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground."),
    Parameter("continue", "string", "Token of the previous answer, to get the next part of a list."),
    Parameter("fieldSelector", "string", "Restricts the list by fields."),
    Parameter("labelSelector", "string", "Restricts the list by labels."),
    Parameter("limit", "integer", "Number of objects in one answer, at most."),
    Parameter("resourceVersion", "string", "Version that the answer must be based on."),
    Parameter("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("allowWatchBookmarks", "boolean", "Whether the watch may send bookmarks."),
    Parameter("sendInitialEvents", "boolean", "Whether the watch begins with the present objects."),
    Parameter("timeoutSeconds", "integer", "Seconds after which the list or watch ends."),
    Parameter("watch", "boolean", "Watch instead of list."),
)

PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _ALL}
