"""The node simulator: plays nodes, kubelets, volumes and Cassandra itself for one data plane."""
