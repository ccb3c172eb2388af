"""Failures on demand: those that happen once, and those that last until they are cleared."""

from __future__ import annotations

from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.tenants import LASTING, ONE_SHOT

FAULTS = (*sorted(LASTING), *sorted(ONE_SHOT), "clear")


class NoSuchPod(Exception):
    """A crash needs a pod to happen to."""


def inject(context: Context, *, namespace: str, pod: str, fault: str) -> None:
    """Bring a fault upon a pod; ValueError for an unknown one.

    `crash` ends the container once, `lose-disk` its data with it; `hang`, `refuse-start`, `fail-job`,
    `old-api` (a management API without asynchronous jobs) and `unready` (the readiness probe fails) stay,
    also for later pods of that name, until `clear`.
    """
    now = context.clock()
    if fault == "clear":
        context.tenants.clear_faults(namespace, pod)
        context.wake(namespace, pod, 0.0)
    elif fault in LASTING:
        context.tenants.set_fault(namespace, pod, fault, now)
        context.wake(namespace, pod, 0.0)
    elif fault in ONE_SHOT:
        found = context.find_pod(namespace, pod)
        process = found and context.store.stop(
            found.metadata.uid, now, crash=True, lose_disk=fault == "lose-disk"
        )
        if process is None:
            raise NoSuchPod(f"there is no running pod {namespace}/{pod} in {context.settings.plane}")
        context.wake(namespace, pod, 0.0)
    else:
        raise ValueError(f"unknown fault {fault!r}: one of {', '.join(FAULTS)}")
    context.faults_changed.notify()
