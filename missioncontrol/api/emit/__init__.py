"""Everything that is generated from the kinds: CRDs, discovery, OpenAPI, RBAC, webhooks, reference pages.

``python -m missioncontrol.api.emit`` writes it into manifests/generated and docs/reference. Servers
import single modules of this package when they need one; nothing here is loaded with the models.
"""
