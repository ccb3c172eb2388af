"""The verbs of the Kubernetes API on whole objects, as dicts.

Every write goes through `Transport.guard` (see there). `on_written` is told of every object that the server
gave back for a write, so that caches can read their own writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from missioncontrol.kube.errors import Expired
from missioncontrol.kube.transport import Query, Response, Transport

if TYPE_CHECKING:
    from missioncontrol.api.resources import Resource
    from missioncontrol.kube.config import ClusterConfig

JsonPatch = list[dict[str, Any]]
OnWritten = Callable[["Resource", dict[str, Any]], None]

PAGE = 500
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

__all__ = ["Client", "OnWritten", "Query", "Response"]


class Client(Transport):
    """A REST client for one cluster. Errors are the types of missioncontrol.kube.errors."""

    def __init__(self, config: ClusterConfig, *, user_agent: str, timeout: float = 10.0) -> None:
        super().__init__(config, user_agent=user_agent, timeout=timeout)
        self.on_written: OnWritten | None = None

    async def get(
        self, resource: Resource, name: str, *, namespace: str | None = None, subresource: str | None = None
    ) -> dict[str, Any]:
        """One object."""
        response = await self.request("GET", resource.path(namespace, name, subresource))
        return response.raise_for_status().json()

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> list[dict[str, Any]]:
        """All objects, read page by page; apiVersion and kind are filled in, which lists leave out."""
        query: dict[str, str] = {"limit": str(PAGE)}
        if label_selector:
            query["labelSelector"] = label_selector
        if field_selector:
            query["fieldSelector"] = field_selector
        items: list[dict[str, Any]] = []
        while True:
            response = await self.request("GET", resource.path(namespace), query=query)
            try:
                page = response.raise_for_status().json()
            except Expired:
                if "continue" not in query:
                    raise
                # The snapshot that the pages were cut from is compacted: once more, in one piece.
                items.clear()
                query.pop("continue")
                query.pop("limit")
                continue
            for item in page.get("items") or []:
                items.append({"apiVersion": resource.api_version, "kind": resource.kind, **item})
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def create(
        self,
        resource: Resource,
        body: dict[str, Any],
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
        field_manager: str | None = None,
    ) -> dict[str, Any]:
        """Create an object (namespace: default from its metadata), or post to the subresource of `name`."""
        target = namespace or _namespace(resource, body)
        path = resource.path(target, name, subresource)
        query = _write_query(dry_run=dry_run, field_manager=field_manager)
        return await self._write(resource, "POST", path, body, query, subresource=subresource)

    async def replace(
        self,
        resource: Resource,
        body: dict[str, Any],
        *,
        subresource: str | None = None,
        field_manager: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Put an object in place of the stored one; its resourceVersion, if any, must be the stored one's."""
        path = resource.path(_namespace(resource, body), _name(body), subresource)
        query = _write_query(dry_run=dry_run, field_manager=field_manager)
        return await self._write(resource, "PUT", path, body, query, subresource=subresource)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: dict[str, Any],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Change members of an object (RFC 7386: null removes, lists are replaced)."""
        path = resource.path(namespace, name, subresource)
        query = _write_query(dry_run=dry_run, field_manager=field_manager)
        return await self._write(
            resource, "PATCH", path, patch, query, subresource=subresource, content_type=MERGE_PATCH
        )

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        patch: JsonPatch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Change an object step by step (RFC 6902; `test` operations make it conditional)."""
        path = resource.path(namespace, name, subresource)
        query = _write_query(dry_run=dry_run, field_manager=field_manager)
        return await self._write(
            resource, "PATCH", path, patch, query, subresource=subresource, content_type=JSON_PATCH
        )

    async def apply(
        self,
        resource: Resource,
        body: dict[str, Any],
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply: `body` is everything that this manager wants to own in the object, no more.

        A metadata.resourceVersion in the body fences: Conflict when the object has changed since, or is gone.
        apiVersion and kind may be left out.
        """
        path = resource.path(_namespace(resource, body), _name(body), subresource)
        query = _write_query(dry_run=dry_run, field_manager=field_manager)
        query["force"] = "true" if force else "false"
        # Unknown fields are refused in any case. This spares kube-apiserver a second reading of the YAML, in
        # which it would look for keys that are given twice: 1 ms for a StatefulSet.
        query["fieldValidation"] = "Ignore"
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self._write(
            resource, "PATCH", path, full, query, subresource=subresource, content_type=APPLY_PATCH
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Delete an object; with `uid` or `resource_version` only that very one (Conflict otherwise)."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid or resource_version:
            options["preconditions"] = {key: value for key, value in preconditions.items() if value}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if dry_run:
            options["dryRun"] = ["All"]
        response = await self.request("DELETE", resource.path(namespace, name), body=options)
        return response.raise_for_status().json()

    async def _write(
        self,
        resource: Resource,
        method: str,
        path: str,
        body: dict[str, Any] | JsonPatch,
        query: dict[str, str],
        *,
        subresource: str | None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        response = await self.request(
            method, path, query=query, body=body, headers={"Content-Type": content_type}
        )
        written = response.raise_for_status().json()
        # Other subresources answer with another kind (Scale, Eviction), which is not the object.
        if self.on_written is not None and "dryRun" not in query and subresource in (None, "status"):
            self.on_written(resource, written)
        return written


def _write_query(*, dry_run: bool, field_manager: str | None) -> dict[str, str]:
    query = {}
    if dry_run:
        query["dryRun"] = "All"
    if field_manager:
        query["fieldManager"] = field_manager
    return query


def _name(body: dict[str, Any]) -> str:
    name = body.get("metadata", {}).get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("the object has no metadata.name")
    return name


def _namespace(resource: Resource, body: dict[str, Any]) -> str | None:
    if not resource.namespaced:
        return None
    namespace = body.get("metadata", {}).get("namespace")
    return namespace if isinstance(namespace, str) and namespace else None
