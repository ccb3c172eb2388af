"""The audit log: who did what, in the form of Kubernetes (`audit.k8s.io/v1`), with the bodies.

kube-apiserver audits the same requests under the same Audit-ID, but never sees the bodies of what it passes
on; this is the only record of them.
"""
