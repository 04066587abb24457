"""Training: the run, its loop, augmentation, losses, and the run's folder."""
