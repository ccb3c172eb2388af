"""What the seed list of a node resolves to, as its cluster's DNS would answer.

The seed Service of a namespace selects the pods labelled as seeds; the additional-seed Service has no
selector, its addresses stand in EndpointSlices that the operators write.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec

from missioncontrol.api.names import Label, LabelValue, seed_service_name
from missioncontrol.api.resources import ENDPOINT_SLICES, PODS
from missioncontrol.kube.backoff import Backoff
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import KubeError
from missioncontrol.kube.informer import Informer
from missioncontrol.local.simulator import pods
from missioncontrol.local.simulator.ring import Seeds
from missioncontrol.local.simulator.views import EndpointSlice, Pod

log = logging.getLogger(__name__)

FOREIGN_SLICES = (
    "kubernetes.io/service-name,endpointslice.kubernetes.io/managed-by notin "
    "(endpointslice-controller.k8s.io,endpointslicemirroring-controller.k8s.io)"
)
"""Slices that Kubernetes' own controllers did not write; theirs follow from selectors."""
LOOKUP_SECONDS = 30.0


def resolve(pod: Pod, siblings: Iterable[Pod], slices: Iterable[EndpointSlice]) -> Seeds:
    """The seeds of a pod, from the pods and slices of its namespace."""
    wanted = pods.describe(pod)
    label = pod.metadata.labels.get(Label.CLUSTER, "")
    addresses = {s for s in wanted.seeds if pods.is_address(s)}
    itself = False
    if seed_service_name(wanted.cluster) in wanted.seeds:
        for other in siblings:
            labels = other.metadata.labels
            if labels.get(Label.CLUSTER, "") != label or labels.get(Label.SEED_NODE) != LabelValue.TRUE:
                continue
            itself = itself or other.metadata.uid == pod.metadata.uid
            if other.status.pod_ip:
                addresses.add(other.status.pod_ip)
    for found in slices:
        if found.metadata.labels.get(Label.SERVICE_NAME) in wanted.seeds and found.address_type != "FQDN":
            addresses.update(a for endpoint in found.endpoints for a in endpoint.addresses)
    return Seeds(addresses=frozenset(addresses), itself=itself or pod.status.pod_ip in addresses)


class SeedResolver:
    """Resolves from the informers' caches, or, when that is not enough, from the server."""

    def __init__(
        self, client: Client, *, pod_informer: Informer[Pod], slice_informer: Informer[EndpointSlice]
    ) -> None:
        self.client = client
        self.pods = pod_informer
        self.slices = slice_informer
        pod_informer.add_index("namespace", lambda pod: (pod.metadata.namespace,))
        slice_informer.add_index("namespace", lambda found: (found.metadata.namespace,))

    def cached(self, pod: Pod) -> Seeds:
        namespace = pod.metadata.namespace
        return resolve(pod, self.pods.by("namespace", namespace), self.slices.by("namespace", namespace))

    async def fresh(self, pod: Pod) -> Seeds:
        """As the server has it now: a label may have been set a moment ago.

        While the server is away it is asked again, as a node asks for its seeds for half a minute before it
        gives up; then it is what the caches say.
        """
        backoff, ends = Backoff(limit=2.0), time.monotonic() + LOOKUP_SECONDS
        while True:
            try:
                return await self._listed(pod)
            except KubeError as error:
                pause = backoff.next()
                if time.monotonic() + pause > ends:
                    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
                    log.warning("seeds of %s are taken from the cache: %s", name, error)
                    return self.cached(pod)
            await asyncio.sleep(pause)

    async def _listed(self, pod: Pod) -> Seeds:
        namespace = pod.metadata.namespace
        label = pod.metadata.labels.get(Label.CLUSTER, "")
        selector = f"{Label.CLUSTER}={label},{Label.SEED_NODE}={LabelValue.TRUE}"
        found_pods = await self.client.list(PODS, namespace=namespace, label_selector=selector)
        found_slices = await self.client.list(
            ENDPOINT_SLICES, namespace=namespace, label_selector=FOREIGN_SLICES
        )
        return resolve(
            pod,
            [msgspec.convert(p, Pod) for p in found_pods],
            [msgspec.convert(s, EndpointSlice) for s in found_slices],
        )
