"""Which handler answers which verb on which resource, and what is no resource at all."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from apiserver.body import patch_type
from apiserver.call import Call
from apiserver.context import Context, Handler
from apiserver.handlers import delete, nodes, operations, read, scale, watch, write
from apiserver.kinds import GROUP, SERVED, Served
from apiserver.requestinfo import RequestInfo, complaint
from apiserver.respond import caching
from apiserver.status import bad_request, method_not_allowed, not_found
from missioncontrol.api.registry import StoredAs
from missioncontrol.api.resources import VERSION

_STORED: Final[dict[str, Handler]] = {
    "get": read.get,
    "list": read.list_,
    "watch": watch.watch,
    "create": write.create,
    "update": write.update,
    "patch": write.patch,
    "delete": delete.delete,
    "deletecollection": delete.deletecollection,
}
_OPERATION: Final[dict[str, Handler]] = {**_STORED, "create": operations.create, "patch": operations.patch}
_COMPUTED: Final[dict[str, Handler]] = {"get": nodes.get, "list": nodes.list_}
_SUBRESOURCES: Final[dict[str, dict[str, Handler]]] = {
    "status": {"get": read.get, "update": write.update, "patch": write.patch},
    "scale": {"get": scale.get, "update": scale.update, "patch": scale.patch},
    "cancel": {"create": operations.cancel},
}
_JUDGE_NAMES: Final = frozenset({write.create, operations.create, write.update})
"""What is created is named by its body alone, and in an update the body's name is looked at first."""
_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


async def dispatch(context: Context, call: Call) -> web.StreamResponse:
    """Answer a request on a resource."""
    info = call.info
    served = SERVED.get(info.resource)
    if served is None or (info.group, info.version) != (GROUP, VERSION) or not _is_place(served, info):
        return no_page(call)
    if why := complaint(info.namespace):
        raise bad_request(f'Namespace parameter invalid: "{info.namespace}": {why}')
    resource = served.info.resource
    handlers = _handlers(served, info)
    if handlers is None:
        raise not_found(resource, info.name)
    handler = handlers.get(info.verb)
    if handler is None:
        allowed = {_METHODS[verb] for verb in handlers}
        raise method_not_allowed(resource, info.verb if info.verb in _METHODS else "", allowed)
    if handler not in _JUDGE_NAMES and (why := complaint(info.name)):
        raise bad_request(f'Name parameter invalid: "{info.name}": {why}')
    if info.verb in ("update", "patch") and not info.name:
        if info.verb == "patch":
            patch_type(call.headers.get("Content-Type"))
        raise bad_request("name must be provided")
    return await handler(context, call, served)


def _is_place(served: Served, info: RequestInfo) -> bool:
    """Whether the path has a namespace where there must be one, and none where there must not."""
    if not served.info.resource.namespaced:
        return not info.namespace
    return bool(info.namespace) or (not info.name and info.verb in ("list", "watch"))


def _handlers(served: Served, info: RequestInfo) -> dict[str, Handler] | None:
    """The handlers of a resource or subresource by verb: exactly what discovery says there is.

    As with a custom resource, it does not matter for most verbs whether the path has a name.
    """
    if info.subresource:
        subresource = served.info.subresource(info.subresource)
        if subresource is None:
            return None
        if info.rest and info.subresource not in ("status", "scale"):
            return None  # of ours none has anything below it
        if subresource.creates_operation:
            return {"create": operations.create_for_cluster}
        by_verb = _SUBRESOURCES[info.subresource]
        return {verb: by_verb[verb] for verb in subresource.verbs}
    match served.info.stored_as:
        case StoredAs.COMPUTED:
            by_verb = _COMPUTED
        case StoredAs.OPERATION:
            by_verb = _OPERATION
        case _:
            by_verb = _STORED
    return {verb: by_verb[verb] for verb in served.info.verbs}


def no_page(call: Call) -> web.Response:
    """What Kubernetes answers on a path that means nothing."""
    return web.Response(
        status=404,
        text="404 page not found\n",
        headers={"X-Content-Type-Options": "nosniff", **caching(call)},
    )
