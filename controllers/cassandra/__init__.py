"""cass-operator: from a CassandraDatacenter to StatefulSets, Services and started nodes."""
