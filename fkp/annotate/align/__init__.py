"""Aligned faces: crops by a template, of photos and of clips, and films of them."""
