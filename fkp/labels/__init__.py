"""Labelled faces: reading other tools' formats, checks, splits, the prepared data set."""
