"""HTTP/2, as kube-apiserver speaks it to aggregated servers: many requests on one connection."""
