"""From pictures to faces: reading and cutting, workers, a cluster, drawing."""
