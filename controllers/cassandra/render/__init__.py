"""Kubernetes objects of a datacenter as pure functions of its spec: no I/O, no clock."""
