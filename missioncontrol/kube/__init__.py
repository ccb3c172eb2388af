"""Talking to kube-apiservers: connections, REST client, informers, work queues, leases."""
