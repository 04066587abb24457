"""Aligned faces."""
