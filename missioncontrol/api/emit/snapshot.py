"""The schemas of Kubernetes' own types, taken once from a real kube-apiserver.

Our kinds contain types such as PodTemplateSpec, and our OpenAPI documents must repeat the meta types
exactly as kube-apiserver spells them: a definition of the same name with other content is renamed when
documents are merged. To renew the snapshot after a new Kubernetes release::

    python -m missioncontrol.api.emit.snapshot --kubectl kubectl --kubeconfig FILE

The file holds ``core`` (OpenAPI v3 schemas of the types that kinds contain; descriptions cut to their
first sentence) and ``meta`` (OpenAPI v2 definitions, verbatim).
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).with_name("kubernetes-types.json")
CORE_PREFIX = "io.k8s.api.core.v1."
META_PREFIX = "io.k8s.apimachinery.pkg.apis.meta.v1."
SCALE = "io.k8s.api.autoscaling.v1.Scale"

CORE_TYPES = (
    "Affinity",
    "Container",
    "EnvVar",
    "PersistentVolumeClaimSpec",
    "PodSecurityContext",
    "PodTemplateSpec",
    "Probe",
    "ResourceRequirements",
    "SecurityContext",
    "Toleration",
    "Volume",
)
META_TYPES = ("DeleteOptions", "ListMeta", "ObjectMeta", "Patch", "Status", "WatchEvent")

# markers that only strategic merge or client generators use
_NOISE = frozenset(
    {"x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-unions", "enum"}
)
_DESCRIPTION_LIMIT = 160

Schema = dict[str, Any]


@functools.cache
def load() -> dict[str, dict[str, Schema]]:
    """The snapshot: ``core`` and ``meta`` schemas by name. Callers must not change it."""
    loaded: dict[str, dict[str, Schema]] = json.loads(SNAPSHOT.read_text())
    return loaded


def references(schema: Any) -> set[str]:
    """The names of all definitions that a schema refers to."""
    if isinstance(schema, dict):
        found = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
        return found.union(*(references(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(references(item) for item in schema))
    return set()


def closure(names: Iterable[str], definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The named definitions and all that they refer to, sorted by name."""
    pending, found = list(names), {}
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = definitions[name]
            pending.extend(references(definitions[name]))
    return dict(sorted(found.items()))


def first_sentence(text: str) -> str:
    """The first sentence of a description, cut where it is still too long."""
    text = " ".join(text.split("\n\n")[0].split())
    sentence, dot, _ = text.partition(". ")
    sentence += "." if dot else ""
    return sentence if len(sentence) <= _DESCRIPTION_LIMIT else sentence[:_DESCRIPTION_LIMIT].rstrip() + " …"


def _compact(schema: Any, *, required: bool = False) -> Any:
    """A core schema without noise, with short descriptions and only the defaults that mean something."""
    if isinstance(schema, list):
        return [_compact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    compacted: Schema = {}
    for key, value in schema.items():
        if key in _NOISE:
            continue
        if key == "properties":
            needed = set(schema.get("required", ()))
            compacted[key] = {name: _compact(sub, required=name in needed) for name, sub in value.items()}
        elif key in ("items", "additionalProperties"):
            compacted[key] = _compact(value, required=True)
        elif key == "description":
            compacted[key] = first_sentence(value)
        elif key == "default":
            # zero values of required fields and empty structs are artefacts of Go, not defaults
            if value != {} and not required:
                compacted[key] = value
        elif key == "allOf" and len(value) == 1:
            compacted.update(_compact(value[0]))
        else:
            compacted[key] = _compact(value)
    return compacted


def build(openapi_v2: Schema, openapi_v3_core: Schema) -> dict[str, dict[str, Schema]]:
    """The snapshot from kube-apiserver's documents."""
    schemas = openapi_v3_core["components"]["schemas"]
    core = closure((CORE_PREFIX + name for name in CORE_TYPES), schemas)
    definitions = openapi_v2["definitions"]
    meta = closure([SCALE, *(META_PREFIX + name for name in META_TYPES)], definitions)
    return {"core": {name: _compact(schema) for name, schema in core.items()}, "meta": meta}


def render(snapshot: dict[str, dict[str, Schema]]) -> str:
    """The snapshot as text: one definition a line, so that a change can be read."""
    sections = []
    for section, definitions in snapshot.items():
        lines = (
            f"{json.dumps(name)}:{json.dumps(schema, separators=(',', ':'), ensure_ascii=False)}"
            for name, schema in definitions.items()
        )
        sections.append(f'"{section}":{{\n' + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(sections) + "}\n"


def _fetch(kubectl: str, kubeconfig: str | None, path: str) -> Schema:
    command = [kubectl, *(["--kubeconfig", kubeconfig] if kubeconfig else []), "get", "--raw", path]
    document: Schema = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return document


def main() -> None:
    """Writes the snapshot."""
    parser = argparse.ArgumentParser(description="Renew the snapshot of Kubernetes' own types.")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--kubeconfig")
    options = parser.parse_args()
    v2 = _fetch(options.kubectl, options.kubeconfig, "/openapi/v2")
    core = _fetch(options.kubectl, options.kubeconfig, "/openapi/v3/api/v1")
    SNAPSHOT.write_text(render(build(v2, core)))


if __name__ == "__main__":
    main()
