"""Tests of `fkp.annotate.clinic`."""
