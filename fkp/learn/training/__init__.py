"""Training: the run, its loop, what it changes and what it leaves."""
