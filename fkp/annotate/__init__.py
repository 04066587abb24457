"""Inputs to faces to results: the pipeline and the writers. The only room with joblib."""
