"""Evaluation: predictions against labels, in figures, tables and plots."""
