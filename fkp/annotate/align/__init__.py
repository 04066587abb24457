"""Aligned faces: crops by a template from photos and clips, and timelapses."""
