"""The aggregated API server of missioncontrol.io: stateless, in front of the storage CRDs."""
