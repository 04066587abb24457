"""Symmetry and excursion of faces in photographs of visits."""
