"""Find every program the environment needs."""

from __future__ import annotations

import os
from pathlib import Path

from missioncontrol.local.control_plane import Programs


def resolve_programs() -> Programs:
    """Every program, from KUBEBUILDER_ASSETS."""
    folder = Path(os.environ["KUBEBUILDER_ASSETS"])
    return Programs(
        etcd=folder / "etcd",
        kube_apiserver=folder / "kube-apiserver",
        kube_controller_manager=folder / "kube-controller-manager",
        kube_scheduler=folder / "kube-scheduler",
        kubectl=folder / "kubectl",
        opa=folder / "opa",
    )
