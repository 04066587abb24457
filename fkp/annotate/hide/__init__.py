"""Copies of photos and clips in which faces cannot be recognised."""
