"""CassandraTask: one job on the nodes of one datacenter, rack by rack."""
