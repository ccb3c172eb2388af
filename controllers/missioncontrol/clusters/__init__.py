"""MissionControlClusters: what runs where, in which order, and what is told about it."""
