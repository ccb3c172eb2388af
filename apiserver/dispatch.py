"""Which handler answers which verb on which resource, and what is no resource at all."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from apiserver.call import Call
from apiserver.context import Context, Handler
from apiserver.handlers import delete, nodes, operations, read, scale, watch, write
from apiserver.kinds import GROUP, SERVED, Served
from apiserver.requestinfo import RequestInfo, complaint
from apiserver.status import Failure, bad_request, failure, method_not_allowed
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
_ON_COLLECTIONS: Final = frozenset({"list", "watch", "create", "deletecollection"})


async def dispatch(context: Context, call: Call) -> web.StreamResponse:
    """Answer a request on a resource."""
    info = call.info
    served = SERVED.get(info.resource)
    if served is None or (info.group, info.version) != (GROUP, VERSION) or not _is_place(served, info):
        raise no_page()
    for what, name in (("Namespace", info.namespace), ("Name", info.name)):
        if why := complaint(name):
            raise bad_request(f'{what} parameter invalid: "{name}": {why}')
    handlers = _handlers(served, info)
    if handlers is None:
        raise no_page()
    handler = handlers.get(info.verb)
    if handler is None:
        raise method_not_allowed({_METHODS[verb] for verb in handlers})
    return await handler(context, call, served)


def _is_place(served: Served, info: RequestInfo) -> bool:
    """Whether the path has a namespace where there must be one, and none where there must not."""
    if info.rest:
        return False
    if not served.info.resource.namespaced:
        return not info.namespace
    return bool(info.namespace) or (not info.name and info.verb in ("list", "watch"))


def _handlers(served: Served, info: RequestInfo) -> dict[str, Handler] | None:
    """The handlers of a resource or subresource by verb: exactly what discovery says there is."""
    if info.subresource:
        subresource = served.info.subresource(info.subresource)
        if subresource is None:
            return None
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
    on_collection = not info.name
    return {verb: by_verb[verb] for verb in served.info.verbs if (verb in _ON_COLLECTIONS) == on_collection}


def no_page() -> Failure:
    """404 on a path that means nothing."""
    return failure(404, "the server could not find the requested resource")
