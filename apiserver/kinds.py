"""The kinds this server serves, each joined with how it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apiserver.selectors import FieldTerm
from apiserver.translate.face import Face, Faces
from missioncontrol.api.faces import uid_version
from missioncontrol.api.names import Annotation
from missioncontrol.api.operations import OperationSpec
from missioncontrol.api.registry import KINDS, KindInfo, StoredAs
from missioncontrol.api.resources import STORED_OPERATIONS, VERSION, VIRTUAL_GROUP

GROUP: Final = VIRTUAL_GROUP
GROUP_VERSION: Final = f"{VIRTUAL_GROUP}/{VERSION}"

COMMON_FIELDS: Final = frozenset(field.alias or name for name, field in OperationSpec.model_fields.items())


@dataclass(frozen=True)
class Served:
    """A kind, its face, and what selects its objects among the stored ones."""

    info: KindInfo
    face: Face

    @property
    def selection(self) -> tuple[FieldTerm, ...]:
        """Stored operations of other kinds are not ours to see through this kind."""
        return (FieldTerm("spec.type", self.info.resource.kind),) if self.info.is_operation else ()

    @property
    def selectable(self) -> frozenset[str]:
        """The fields that a field selector may name."""
        own = {"metadata.name", *self.info.field_selectors}
        return frozenset(own | {"metadata.namespace"} if self.info.resource.namespaced else own)


def _face(info: KindInfo) -> Face:
    return Face(
        virtual=info.resource,
        stored=info.stored,
        uid_version=uid_version(info),
        argument=info.singular if info.is_operation else "",
        common=COMMON_FIELDS if info.is_operation else frozenset(),
        is_view=info.stored_as is StoredAs.VIEW,
        requester_annotation=Annotation.REQUESTED_BY if info.stored == STORED_OPERATIONS else "",
    )


SERVED: Final[dict[str, Served]] = {info.resource.plural: Served(info, _face(info)) for info in KINDS}
FACES: Final = Faces(
    served.face for served in SERVED.values() if served.info.stored_as is not StoredAs.COMPUTED
)
CLUSTERS: Final = SERVED["missioncontrolclusters"]
DATACENTERS: Final = SERVED["datacenters"]
OPERATIONS: Final = SERVED["operations"]
NODES: Final = SERVED["databasenodes"]


def typed_operation(stored_name: str) -> tuple[Served, str] | None:
    """The typed kind and name of a stored operation."""
    for served in SERVED.values():
        if served.info.is_operation and stored_name.startswith(served.face.prefix):
            return served, stored_name.removeprefix(served.face.prefix)
    return None
