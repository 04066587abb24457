"""From inputs to faces to results: the pipeline and the writers. The only package that uses
joblib."""
