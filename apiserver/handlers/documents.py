"""Discovery and OpenAPI: documents in memory since the start, so that they never depend on anything.

Discovery is also what kube-apiserver judges our availability by: were it slow or refused once, the whole
group would be gone for everybody.
"""

from __future__ import annotations

import functools
import gzip

import orjson
from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.kinds import GROUP, GROUP_VERSION
from apiserver.negotiate import Clause, parse_clauses, takes_gzip
from apiserver.respond import GZIP_FROM
from apiserver.status import failure, not_acceptable
from apiserver.yamltext import to_yaml
from missioncontrol.api.emit import discovery, openapi
from missioncontrol.api.emit.discovery import Rendered

_JSON = frozenset({"application/json", "application/*", "*/*"})
_YAML = "application/yaml"
_AGGREGATED_VERSIONS = ("v2", "v2beta1")
_IMMUTABLE_SECONDS = 365 * 24 * 3600


def warm() -> None:
    """Make every document now, so that no request waits for it."""
    for document in (_root(), *(_FIXED[path]() for path in _FIXED)):
        _compressed(document)
    for version in _AGGREGATED_VERSIONS:
        discovery.rendered_aggregated(version)


def _root() -> Rendered:
    return discovery.rendered_group_list()


_FIXED = {
    f"/apis/{GROUP}": discovery.rendered_group,
    f"/apis/{GROUP_VERSION}": discovery.rendered_resource_list,
    "/openapi/v2": openapi.rendered_v2,
    "/openapi/v3": openapi.rendered_v3_root,
    f"/openapi/v3/apis/{GROUP_VERSION}": openapi.rendered_v3,
}
PATHS = frozenset({"/apis", *_FIXED})


def answer(call: Call) -> web.Response:
    """The document of a path in PATHS."""
    if call.info.method not in ("GET", "HEAD"):
        raise failure(
            405, "the server does not allow this method on the requested resource", headers={"Allow": "GET"}
        )
    path = _path(call)
    header = call.headers.get("Accept", "") or "application/json"
    document = _negotiated(path, parse_clauses(header))
    headers = {"ETag": document.etag, "Vary": "Accept", "Cache-Control": "public"}
    if path.startswith("/apis/"):
        headers = respond.caching(call)  # as of all older discovery documents
    if path == f"/openapi/v3/apis/{GROUP_VERSION}" and call.query.get("hash") == document.etag.strip('"'):
        headers["Cache-Control"] = f"public, immutable, max-age={_IMMUTABLE_SECONDS}"
    if _matches(call.headers.get("If-None-Match", ""), document.etag):
        return web.Response(status=304, headers=headers)
    body = document.body
    if len(body) >= GZIP_FROM and takes_gzip(call.headers.get("Accept-Encoding", "")):
        body = _compressed(document)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept, Accept-Encoding"}
    response = web.Response(body=body, headers=headers)
    response.headers["Content-Type"] = document.content_type
    return response


def is_document(path: str) -> bool:
    """Whether a path is one of ours; a trailing slash does not matter."""
    return (path.rstrip("/") or "/") in PATHS


def _path(call: Call) -> str:
    return call.info.path.rstrip("/")


def _negotiated(path: str, clauses: list[Clause]) -> Rendered:
    offered = ["application/json"]
    for clause in clauses:
        if path == "/apis" and clause.parameters.get("g") == "apidiscovery.k8s.io":
            version = clause.parameters.get("v", "")
            if clause.parameters.get("as") == "APIGroupDiscoveryList" and version in _AGGREGATED_VERSIONS:
                return discovery.rendered_aggregated(version)
            continue
        if path.startswith("/apis/") and clause.media_type == _YAML and "as" not in clause.parameters:
            return _in_yaml(path)
        if clause.media_type in _JSON and "as" not in clause.parameters:
            return _FIXED[path]() if path != "/apis" else _root()
    if path == "/apis":
        offered += [discovery.AGGREGATED_CONTENT_TYPE.format(version=each) for each in _AGGREGATED_VERSIONS]
    raise not_acceptable(offered)


@functools.cache
def _in_yaml(path: str) -> Rendered:
    """A document of older discovery as a person may ask for it."""
    document = _FIXED[path]()
    body = to_yaml(orjson.loads(document.body))
    return Rendered(body, f'{document.etag[:-1]}-yaml"', _YAML)


def _matches(header: str, etag: str) -> bool:
    candidates = {part.strip().removeprefix("W/") for part in header.split(",")}
    return etag in candidates or "*" in candidates


@functools.lru_cache(maxsize=16)
def _compressed(document: Rendered) -> bytes:
    return gzip.compress(document.body, compresslevel=6, mtime=0)
