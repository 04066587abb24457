"""Evaluation: predictions compared with labels, in metrics, tables and plots."""
