"""Facial keypoints: labelled faces in, a network out; photos in, tables of keypoints out."""

__version__ = "0.1.0"
