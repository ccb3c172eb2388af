"""mission-control-operator: from a MissionControlCluster to one K8ssandraCluster in each data plane."""
