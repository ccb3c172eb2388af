"""What the OpenAPI document promises, held against the server: requests made from it, right and wrong ones.

`make fuzz EXAMPLES=50` tries every path, for as long as that takes; here each shape of kind is tried a
little, always with the same requests.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance

from missioncontrol.api.emit import openapi
from tests.integration.apiserver.conftest import Obj
from tests.servers import Facade

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"
SECONDS = 15.0
"""No answer may take longer, on a machine that has much else to do."""
SHAPES = (
    "missioncontrolclusters",
    "rollingrestarts",
    "operations",
    "datacenters",
    "databasenodes",
    "dataplanes",
)


def document() -> Obj:
    """Our document; what is Kubernetes' own inside of specs is made in no more detail than `object`."""
    body: Obj = json.loads(openapi.rendered_v3().body)
    if not EXAMPLES:
        for name in body["components"]["schemas"]:
            if name.startswith("io.k8s.api.core.") or "Template" in name:
                body["components"]["schemas"][name] = {"type": "object"}
        body["paths"] = {path: item for path, item in body["paths"].items() if _is_sample(path)}
    return body


def _is_sample(path: str) -> bool:
    resource, *rest = path.removeprefix(f"{GV}/").replace("namespaces/{namespace}/", "").split("/")
    return resource in SHAPES and (not rest[1:] or rest[1] in ("scale", "status", "cancel", "rollingrestart"))


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations()}


@pytest.fixture(scope="module")
def session(facade: Facade) -> Iterator[requests.Session]:
    """Straight to the server, as kube-apiserver does it for an administrator."""
    with requests.Session() as made:
        pair = facade.plane.front_proxy_client
        made.cert, made.verify = (str(pair.cert), str(pair.key)), str(facade.folder / "ca.crt")
        made.headers.update({"X-Remote-User": "fuzz", "X-Remote-Group": "system:masters"})
        yield made


@pytest.fixture(scope="module")
def place(facade: Facade, cluster: Make) -> str:
    """A namespace with something in it."""
    name = "fuzz"
    restart = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "RollingRestart",
        "metadata": {"name": "demo"},
        "spec": {"clusterName": "demo"},
    }
    with facade.admin as admin:
        admin.create_namespace(name)
        admin.apply(f"{GV}/namespaces/{name}/missioncontrolclusters/demo", cluster())
        admin.apply(f"{GV}/namespaces/{name}/rollingrestarts/demo", restart)
    return name


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as promised", "against it"]
)
def test_every_answer_is_one_that_clients_understand(
    facade: Facade, session: requests.Session, place: str, mode: GenerationMode
) -> None:
    for label, operation in OPERATIONS.items():
        _try_operation(facade, session, place, label, operation.as_strategy(generation_mode=mode))


def _try_operation(facade: Facade, session: requests.Session, place: str, label: str, cases: Any) -> None:
    @settings(
        max_examples=EXAMPLES or 2, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(case=cases, there=st.booleans())
    def attempt(case: Any, there: bool) -> None:
        if there:
            for parameter, value in (("namespace", place), ("name", "demo")):
                if parameter in (case.path_parameters or {}):
                    case.path_parameters[parameter] = value
        query = case.query or {}
        if "watch" in query or "timeoutSeconds" in query:
            # a watch lasts as long as it was asked to
            case.query = {**query, "timeoutSeconds": "1"}
        _check(facade, session, label, case)

    attempt()


def _check(facade: Facade, session: requests.Session, label: str, case: Any) -> None:
    began = time.monotonic()
    tls = {"verify": session.verify, "cert": session.cert}
    response = case.call(base_url=facade.url, session=session, timeout=SECONDS, **tls)
    assert time.monotonic() - began < SECONDS, label
    # 500 is what kube-apiserver itself says, of a CRD as well, when an apply does not fit the schema, and
    # when a version is no number
    words = (b"failed to create typed patch object", b"strconv.ParseUint: parsing")
    unfit = any(each in response.content for each in words)
    assert response.status_code < 500 or response.status_code == 504 or unfit, (label, case, response.content)
    assert response.headers["content-type"][0].startswith(
        ("application/json", "text/plain", "application/yaml")
    )
    if response.status_code >= 400 and response.headers["content-type"][0].startswith("application/json"):
        status = response.json()
        assert (status["kind"], status["code"]) == ("Status", response.status_code), label
        assert status["message"], label
    if response.status_code < 400:
        case.validate_response(response, checks=[content_type_conformance])
