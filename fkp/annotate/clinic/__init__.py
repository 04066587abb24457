"""Symmetry and excursion of faces in photos of visits."""
