"""Evaluation: predictions compared with labels, in figures, tables and plots."""
