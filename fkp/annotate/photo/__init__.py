"""Annotating pictures: reading and cutting, workers, a cluster, drawing."""
