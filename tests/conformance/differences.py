"""The differences from a native resource that stay, with their reasons; docs/api-conformance.md has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Difference:
    """Where answers may differ; `*` stands for anything. A difference that no answer shows is a fault."""

    what: str
    reason: str
    cases: str = "*"
    requests: str = "*"
    places: str = "*"
    arm: str = ""


DIFFERENCES: Final[tuple[Difference, ...]] = (
    Difference(
        what="A dry run of an operation answers with `status.plan`.",
        reason="It is made by the API server, and tells what the operation would do before it exists; a "
        "custom resource has nobody who could.",
        cases="*/RollingRestart",
        requests="*dryRun=All*",
        places="body.status",
    ),
    Difference(
        what="The same, in YAML.",
        reason="As above.",
        cases="*/RollingRestart",
        requests="*create as application/yaml",
        places="body",
    ),
    Difference(
        what="The same, printed by kubectl.",
        reason="As above.",
        cases="kubectl/*/RollingRestart",
        requests="*--dry-run=server -o *",
        places="body.stdout.status",
    ),
    Difference(
        what="The same, in what `kubectl diff` would create.",
        reason="As above.",
        cases="kubectl/diff/RollingRestart",
        places="body.stdout*",
    ),
    Difference(
        what="Names of operations are as much shorter as their kind is long.",
        reason="The list over all operations puts the kind before each name, and names have at most 253 "
        "characters. The refusal says how many are left.",
        cases="validation/names/RollingRestart",
        requests="*the longest name*",
    ),
    Difference(
        what="The same, of names that are generated.",
        reason="As above.",
        cases="validation/names that are generated/RollingRestart",
        requests="* of [2-3][0-9][0-9]:*",
        places="body.*message",
    ),
    Difference(
        what="The same, of longer ones.",
        reason="As above.",
        cases="*/RollingRestart",
        requests="*a name *",
        places="body.*message",
    ),
    Difference(
        what="405 names the methods that are allowed, in the header Allow.",
        reason="HTTP demands it; kube-apiserver leaves it out for custom resources.",
        places="headers.Allow",
    ),
    Difference(
        what="The list of the group's resources is only read; anything else is 405.",
        reason="As with built-in kinds. A custom resource's is the answer to whatever is asked there.",
        cases="errors/other methods and headers/*",
        requests="*the list of resources*",
    ),
    Difference(
        what="An object that is being deleted already takes no other policy that needs a finalizer.",
        reason="The finalizers of the garbage collector stand under other names on the stored object, and a "
        "custom resource takes no new ones then. A policy that is waited for can be taken back.",
        cases="delete/policies after each other/*",
        places="body.metadata.*",
    ),
    Difference(
        what="The same, for a collection.",
        reason="As above.",
        cases="delete/a collection with finalizers/*",
        places="body.items[*].metadata.*",
    ),
    Difference(
        what="The same, for a dry run.",
        reason="As above.",
        cases="delete/refused deletes/*",
        requests="*dryRun in the foreground*",
        places="body.metadata.finalizers",
    ),
    Difference(
        what="What is wrong with a Scale is said in words that help.",
        reason="A cluster's replicas are the sizes of its datacenters, so the API server itself judges them. "
        "For a custom resource kube-apiserver tells its own internals "
        "(`no kind is registered for the type v1.Scale`), or quotes the whole Scale with the owners of its "
        "fields.",
        cases="subresources/*scales/*",
        places="body.message",
    ),
    Difference(
        what="The same, in the causes.",
        reason="As above.",
        cases="subresources/*scales/*",
        places="body.details.causes[*].message",
    ),
    Difference(
        what="The status of a cluster that is no object is refused without the causes that name "
        "`.status.replicas` and `.status.selector`.",
        reason="A custom resource's come of reading its scale there. Ours is made by the API server, so the "
        "stored kind has none.",
        cases="validation/a status that is no object/MissionControlCluster",
        places="body.details.causes*",
    ),
    Difference(
        what="A Scale of an impossible version is a conflict, one that is applied under another name is "
        "refused with 400.",
        reason="A custom resource answers 500.",
        cases="subresources/refused scales/*",
        requests="*. no version",
    ),
    Difference(
        what="The same, of names.",
        reason="As above.",
        cases="subresources/refused scales/*",
        requests="*. apply another name",
    ),
    Difference(
        what="A Scale that changes nothing writes nothing.",
        reason="Nobody owns the number of replicas: the sizes of datacenters are fields of a list with one "
        "owner. So applying to /scale never conflicts; and it creates no 500 as with a custom resource.",
        cases="subresources/scale/*",
        requests="1[2-5]. *",
    ),
    Difference(
        what="The same, in versions.",
        reason="As above.",
        cases="subresources/refused scales/*",
        places="body.metadata.resourceVersion",
    ),
    Difference(
        what="Repeated fields of an operation may be named in another order.",
        reason="Its own arguments are stored behind those that all operations have.",
        cases="validation/unknown and repeated fields/RollingRestart",
        requests="*twice, fieldValidation=Strict*",
        places="body.message",
    ),
    Difference(
        what="A large answer has the header Vary, also for a client that takes no compressed ones.",
        reason="kube-apiserver itself takes them, of every aggregated API, and unpacks them.",
        arm="proxied",
        cases="validation/limits of metadata/*",
        places="headers.Vary",
    ),
    Difference(
        what="Nothing is protobuf: errors and metadata are JSON for clients that would rather have that, and "
        "metadata in protobuf alone is 406.",
        reason="No client can read protobuf of this group's objects. Kubernetes' own controllers, which ask "
        "for metadata, take JSON as well.",
        requests="*application/vnd.kubernetes.protobuf*",
        places="body*",
    ),
    Difference(
        what="The type of these answers.",
        reason="As above.",
        requests="*application/vnd.kubernetes.protobuf*",
        places="headers.Content-Type*",
    ),
    Difference(
        what="Cells of Tables are computed.",
        reason="JSON paths, all that a custom resource has, can say neither how many nodes of how many are "
        "ready nor since when a data plane is away. The definitions of the columns are the same in kind.",
        places="body*.cells[*]",
    ),
    Difference(
        what="The same, in YAML.",
        reason="As above.",
        requests="*application/yaml;as=Table*",
        places="body",
    ),
    Difference(
        what="`as=PartialObjectMetadataList` for a single object is 406, before anything is done.",
        reason="A custom resource does what was asked, writes included, and then answers 500.",
        cases="writes/representations of writes/*",
        requests="*as=PartialObjectMetadataList*",
    ),
    Difference(
        what="The same, of the objects of a watch.",
        reason="As above.",
        cases="watch/odd watches/*",
        requests="*as=PartialObjectMetadataList*",
    ),
    Difference(
        what="A WebSocket that cannot be made is refused with a Status.",
        reason="A custom resource's is refused with a line of text without a type, or with nothing.",
        cases="watch/handshakes of WebSockets/*",
        places="body",
    ),
    Difference(
        what="The same, in headers.",
        reason="As above.",
        cases="watch/handshakes of WebSockets/*",
        places="headers.C*",
    ),
    Difference(
        what="Discovery lists verbs in the order of the alphabet, and of each kind those that it has.",
        reason="As with built-in kinds; a custom resource always has all, in an order of its own. "
        "DatabaseNodes and Datacenters are made by the operator alone, and Operations through their kinds.",
        cases="kubectl/api-resources/*",
        requests="*-o wide",
    ),
    Difference(
        what="The same, in JSON.",
        reason="As above.",
        cases="kubectl/api-resources/*",
        requests="*-o json",
        places="body.stdout.resources[*].verbs*",
    ),
    Difference(
        what="The same, by verbs.",
        reason="As above.",
        cases="kubectl/api-resources/*",
        requests="*--verbs=*",
        places="body.stdout*",
    ),
    Difference(
        what="`kubectl explain` names the types of fields, and says of each type what it is.",
        reason="As with built-in kinds. A custom resource's schema has no types with names, only objects.",
        cases="kubectl/explain types/*",
    ),
    Difference(
        what="OpenAPI tells which answers are given, and which bodies are taken.",
        reason="Applying creates (201) and replacing does not; a collection is deleted with options. Of "
        "custom resources a generator says the same of all.",
        cases="discovery/parameters and bodies of operations/*",
        places="body.*.responses.201",
    ),
    Difference(
        what="The same, of options of deletions.",
        reason="As above.",
        cases="discovery/parameters and bodies of operations/*",
        places="body.*.bodies*",
    ),
    Difference(
        what="OpenAPI gives deletions the parameters that they have.",
        reason="A custom resource's deletion of a collection is said to be watched, and to have no options.",
        cases="discovery/parameters and bodies of operations/*",
        places="body.*.delete.parameters.*",
    ),
    Difference(
        what="OpenAPI names no parameters of features that are off.",
        reason="They would be ignored; kube-apiserver lists `shardSelector` for every list.",
        cases="discovery/parameters and bodies of operations/*",
        places="body.*.parameters.shardSelector",
    ),
    Difference(
        what="OpenAPI says of /scale that it is a Scale of `autoscaling/v1`.",
        reason="That is what it answers; a custom resource names its own kind there.",
        cases="discovery/parameters and bodies of operations/MissionControlCluster",
        places="body.*/scale.*.kind.*",
    ),
)
