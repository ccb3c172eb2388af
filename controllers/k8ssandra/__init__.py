"""k8ssandra-operator: from a K8ssandraCluster to its CassandraDatacenters, inside one data plane."""
