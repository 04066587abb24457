"""Clips and streams."""
