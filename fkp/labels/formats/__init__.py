"""Readers of label formats, one a file."""
