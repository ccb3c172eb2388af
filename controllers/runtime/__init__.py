"""A small controller runtime: identities in queues, informers, four outcomes, a lease, clusters that come and
go.
"""

from controllers.runtime.cluster import Cluster
from controllers.runtime.controller import Controller
from controllers.runtime.events import EventRecorder
from controllers.runtime.health import Health
from controllers.runtime.manager import Manager
from controllers.runtime.outcome import HOME, Done, Key, Outcome, Reconcile, RequeueAfter, Terminal

__all__ = [
    "HOME",
    "Cluster",
    "Controller",
    "Done",
    "EventRecorder",
    "Health",
    "Key",
    "Manager",
    "Outcome",
    "Reconcile",
    "RequeueAfter",
    "Terminal",
]
