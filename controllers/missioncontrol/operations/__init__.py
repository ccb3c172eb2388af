"""Operations: queued for each cluster, carried out by K8ssandraTasks in the planes, tracked to their end."""
