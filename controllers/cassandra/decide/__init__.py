"""The decisions about a datacenter: pure functions from a snapshot (and the time) to a plan."""

from controllers.cassandra.decide.datacenter import decide

__all__ = ["decide"]
